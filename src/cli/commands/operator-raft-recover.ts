// `operator raft recover`: makes a quorum out of the servers that are left. Consul has no such command; it has operators
// write peers.json on every server by hand.
import type { RaftRecoveryPlan } from "../../client/types.ts";
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";
import { errorText } from "../error-text.ts";
import { columns } from "../table.ts";

/** The command. */
export const operatorRaftRecover: Command = {
  name: "operator raft recover",
  synopsis: "Makes a quorum out of the servers that are left",
  help: `For when so many servers are gone for good that the rest elects no leader. Ask any server that is left: it finds the
others, says what each holds, and the one with the newest log goes on alone and takes the others in again.
Servers that do not answer are left out: should they come back, they are told so, and stop.

Start every server that can still be started first, and look with -dry-run. While a quorum is there, nothing is done.`,
  flags: [{ name: "dry-run", type: "bool", usage: "Only say what would be done." }],
  http: true,
  async run(call) {
    call.none();
    const { operator } = await call.client();
    try {
      const plan = await operator.raftRecoveryPlan();
      call.print(planText(plan));
      if (plan.Refusal !== "") throw new CliError(`Nothing is to be done: ${plan.Refusal}`);
      if (call.flags.bool("dry-run")) {
        call.print("\nThis was a dry run: nothing was changed.");
        return 0;
      }
      await operator.raftRecover(plan);
      const { Node, ID } = plan.Servers.find((server) => server.ID === plan.Lead) ?? { Node: "", ID: plan.Lead };
      call.print(
        `\nDone: ${Node || ID} leads. The others that follow get their votes once they have been stable for a while;`,
      );
      call.print('"proconsul operator raft list-peers" shows it.');
    } catch (error) {
      if (error instanceof CliError) throw error;
      throw new CliError(`Error recovering: ${errorText(error)}`, { cause: error });
    }
    return 0;
  },
};

function planText(plan: RaftRecoveryPlan): string {
  const rows = plan.Servers.map((server) => [
    server.Node || "(unknown)",
    server.ID,
    server.Address,
    String(server.Voter),
    server.Alive ? "alive" : "gone",
    server.Alive ? String(server.LastTerm) : "-",
    server.Alive ? String(server.LastIndex) : "-",
    server.Alive ? String(server.CommitIndex) : "-",
    server.Fate,
  ]);
  const header = ["Node", "ID", "Address", "Voter", "Status", "Last Term", "Last Index", "Committed", "Fate"];
  const lines = [
    columns([header, ...rows]),
    "",
    `${plan.VotersAlive} ${plan.VotersAlive === 1 ? "voter is" : "voters are"} left; ${plan.Quorum} would be a quorum.`,
  ];
  if (plan.Refusal !== "") return lines.join("\n");
  if (plan.KnownLost > 0)
    lines.push(`Lost for certain: the last ${plan.KnownLost} entries that were committed; no server left holds them.`);
  lines.push(
    plan.MayLoseWrites
      ? `Writes after index ${plan.LastIndex} that only the servers now gone had acknowledged among themselves are lost.`
      : "No acknowledged write is lost: every quorum there could have been had one of the servers that are left.",
  );
  if (plan.Uncommitted > 0)
    lines.push(
      `The last ${plan.Uncommitted} entries of the log may not have been acknowledged to whoever wrote them; they are kept, and count as done.`,
    );
  return lines.join("\n");
}
