// `operator primary` and `operator replication`: which datacenter is the primary, moving it, and how replication stands.
// Consul has neither: there the primary is a setting in the files of all agents.
import type { PrimaryMovePlan, ReplicationLinkStatus, SeenDatacenter } from "../../client/types.ts";
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";
import { errorText } from "../error-text.ts";
import { columns } from "../table.ts";

const status: Command = {
  name: "operator primary status",
  synopsis: "Shows which datacenter each takes for the primary",
  http: true,
  async run(call) {
    call.none();
    const { operator } = await call.client();
    try {
      const { PrimaryDatacenter, PrimaryEpoch, Datacenters } = await operator.primary();
      call.print(`${PrimaryDatacenter} is the primary${PrimaryEpoch === 0 ? "" : `, since move ${PrimaryEpoch}`}.\n`);
      call.print(seenTable(Datacenters));
    } catch (error) {
      throw new CliError(`Error reading who the primary is: ${errorText(error)}`, { cause: error });
    }
    return 0;
  },
};

const move: Command = {
  name: "operator primary move",
  synopsis: "Makes another datacenter the primary",
  operands: "[options] DATACENTER",
  help: `The present primary steps down, and the other datacenter takes over what it had and is the primary from then on. In
between, for less than a second when the link is good, nobody is: writes of configuration entries wait.

Look with -dry-run. Without -force nothing is done while the present primary cannot be reached or the other datacenter is
behind. With -force, and without the present primary, what only that has is lost: should it still run, it gives way as
soon as it hears of the move.

  proconsul operator primary move -dry-run dc2`,
  flags: [
    { name: "dry-run", type: "bool", usage: "Only say what would be done." },
    { name: "force", type: "bool", usage: "Move it although something speaks against it." },
  ],
  http: true,
  async run(call) {
    const to = call.sole("DATACENTER");
    const isForced = call.flags.bool("force");
    const { operator } = await call.client();
    try {
      const plan = await operator.primaryPlan(to);
      call.print(planText(plan));
      if (plan.Impossible !== "") throw new CliError(`The primary cannot be moved: ${plan.Impossible}`);
      if (call.flags.bool("dry-run")) {
        call.print("\nThis was a dry run: nothing was changed.");
        return 0;
      }
      if (plan.Refusals.length > 0 && !isForced)
        throw new CliError("The primary is not moved for these reasons. -force moves it all the same.");
      const { PrimaryEpoch, TakenOver } = await operator.movePrimary(to, { force: isForced });
      if (!TakenOver)
        throw new CliError(
          `${plan.From} has stepped down (move ${PrimaryEpoch}), but ${to} has not taken over yet: it does as soon as it hears of it. ` +
            'Until then nobody is the primary; "proconsul operator primary status" shows it',
        );
      call.print(`\nDone: ${to} is the primary (move ${PrimaryEpoch}). All datacenters hear of it by themselves;`);
      call.print("primary_datacenter in their files no longer counts: change it when it suits.");
    } catch (error) {
      if (error instanceof CliError) throw error;
      throw new CliError(`Error moving the primary: ${errorText(error)}`, { cause: error });
    }
    return 0;
  },
};

function planText({ From, To, Behind, Datacenters, Refusals, Impossible }: PrimaryMovePlan): string {
  const lines = [`The primary moves from ${From} to ${To}.\n`, seenTable(Datacenters)];
  if (Impossible !== "") return lines.slice(1).join("\n");
  if (Behind === 0) lines.push(`\n${To} has all configuration entries of ${From}.`);
  for (const refusal of Refusals) lines.push(`\nAgainst it: ${refusal}.`);
  return lines.join("\n");
}

function seenTable(seen: readonly SeenDatacenter[]): string {
  const rows = seen.map(({ Datacenter, Reachable, PrimaryDatacenter, PrimaryEpoch, ConfiguredPrimary }) => [
    Datacenter,
    String(Reachable),
    Reachable ? PrimaryDatacenter : "-",
    Reachable ? String(PrimaryEpoch) : "-",
    Reachable ? ConfiguredPrimary : "-",
  ]);
  const table = columns([["Datacenter", "Reachable", "Primary", "Move", "In its files"], ...rows]);
  const errors = seen.flatMap(({ Datacenter, Error: why }) => (why === "" ? [] : [`\n${Datacenter}: ${why}`]));
  return [table, ...errors].join("\n");
}

const replication: Command = {
  name: "operator replication",
  synopsis: "Shows what is taken over from other datacenters",
  http: true,
  async run(call) {
    call.none();
    const { operator } = await call.client();
    try {
      const { Datacenter, PrimaryDatacenter, Links } = await operator.replication();
      call.print(`Datacenter ${Datacenter}; the primary is ${PrimaryDatacenter}.\n`);
      const header = ["Type", "From", "Prefix", "Mode", "State", "Lag", "Index", "Conflicts"];
      call.print(columns([header, ...Links.map(linkRow)]));
      const reasons = new Set(
        Links.flatMap(({ State, SourceDatacenter, LastErrorMessage }) =>
          State === "failing" ? [`${SourceDatacenter}: ${LastErrorMessage}`] : [],
        ),
      );
      for (const reason of reasons) call.print(`\n${reason}`);
    } catch (error) {
      throw new CliError(`Error reading how replication stands: ${errorText(error)}`, { cause: error });
    }
    return 0;
  },
};

function linkRow(link: ReplicationLinkStatus): string[] {
  const { Prefix = "", ToPrefix = "" } = link;
  return [
    link.ReplicationType,
    link.SourceDatacenter,
    Prefix === ToPrefix ? Prefix || "-" : `${Prefix} to ${ToPrefix}`,
    link.Mode ?? "-",
    link.State,
    link.LagMs === null ? "-" : `${(link.LagMs / 1000).toFixed(1)}s`,
    String(link.ReplicatedIndex),
    link.Conflicts === undefined ? "-" : String(link.Conflicts),
  ];
}

/** The commands. */
export const operatorPrimary: readonly Command[] = [move, status, replication];
