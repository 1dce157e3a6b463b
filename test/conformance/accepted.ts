// The recorded steps that docs/differences.md accepts as answered otherwise: each is a list item of the form
//   - `area: scenario / 3. GET /v1/kv/a`: the reason
import { readFileSync } from "node:fs";

const ITEM = /^- `([a-z-]+): ([^`]+)`: +(\S.*)$/gm;

/** Reasons by "area: step id". @throws Error when a step is listed twice. */
export function acceptedDifferences(
  text: string = readFileSync(new URL("../../docs/differences.md", import.meta.url), "utf8"),
): Map<string, string> {
  const accepted = new Map<string, string>();
  for (const [, area, id, reason] of text.matchAll(ITEM)) {
    const name = `${area}: ${id}`;
    if (accepted.has(name)) throw new Error(`docs/differences.md lists ${name} twice`);
    accepted.set(name, reason as string);
  }
  return accepted;
}
