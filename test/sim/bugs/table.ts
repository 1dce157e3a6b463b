// All bugs that can be planted.
import type { Bug } from "./bug.ts";
import { FEDERATION_BUGS } from "./federation-bugs.ts";
import { RAFT_BUGS } from "./raft-bugs.ts";
import { SERVER_BUGS } from "./server-bugs.ts";

export const BUGS: readonly Bug[] = [...RAFT_BUGS, ...SERVER_BUGS, ...FEDERATION_BUGS];

export function bugNamed(name: string): Bug | undefined {
  return BUGS.find((bug) => bug.name === name);
}
