// A group whose quorum is gone for good goes on with what one server holds, because an operator says so. No vote can
// decide that, so it is outside of the thesis: the server appends a configuration in which it is the only voter to the end
// of its log, in a term that no other server has used, and leads. Everything in its log then counts as committed.
// DESIGN.md ("Recovery by hand") says what must be true so that this is safe.
import { encodeConfiguration, isConfiguration, makeConfiguration } from "./configuration.ts";
import type { Core } from "./core.ts";
import { campaign } from "./election.ts";
import { becomeFollower, restartElectionTimer } from "./role.ts";
import type { Configuration } from "./types.ts";

/** The host's `recover`. */
export function onRecover(core: Core, configuration: Configuration, term: number): void {
  const isAlone =
    isConfiguration(configuration) && configuration.servers.length === 1 && configuration.servers[0]!.id === core.id;
  const leadsOthers = core.leadership !== null && !core.isSoleVoter;
  if (!isAlone || leadsOthers || core.log.lastIndex === 0 || !Number.isSafeInteger(term) || term < 0)
    return core.drop("unexpected");
  becomeFollower(core, Math.max(term, core.term) + 1, null);
  const next = makeConfiguration(configuration.servers);
  const index = core.log.lastIndex + 1;
  core.append({ index, term: core.term, kind: "config", data: encodeConfiguration(next) });
  core.members.append(next, index);
  core.emitConfiguration();
  // What others committed beyond this log is given up.
  core.leaderCommit = 0;
  restartElectionTimer(core);
  campaign(core);
}
