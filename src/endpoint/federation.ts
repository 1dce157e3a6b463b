// What a datacenter says of itself to others, and what is asked of it as the primary or as a secondary: the record of
// `primary_datacenter` (https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/general#primary_datacenter),
// its replication, and the moves of the primary, which Consul has not.
import { OperationalError } from "../types/error.ts";
import type { Federation, Primary } from "../types/records.ts";
import type { CommandEndpoint, Prepared, QueryEndpoint } from "./endpoint.ts";

const refused = (message: string): OperationalError => new OperationalError("refused", message);

/** How one thing is taken over from another datacenter. Times are epoch milliseconds, null for never. */
export interface LinkStatus {
  kind: "config-entries" | "primary" | "kv";
  source: string;
  /** Of keys. */
  prefix: string;
  toPrefix: string;
  mode: string;
  /** What it does now: `comparing` and `following` of what works, `failing` of what does not. */
  state: "comparing" | "following" | "failing";
  /** How long it may have missed something, in milliseconds; null when it never had everything. */
  lagMs: number | null;
  index: number;
  batches: number;
  /** Of keys, since the rule began. */
  written: number;
  deleted: number;
  conflicts: number;
  failures: number;
  lastSuccessMs: number | null;
  lastErrorMs: number | null;
  lastError: string;
  nextAttemptMs: number | null;
}

/** What a datacenter's leader knows of its place among the others. */
export interface FederationStatus {
  datacenter: string;
  primary: Primary;
  /** What `primary_datacenter` of this leader's files says. */
  configured: string;
  /** The other datacenters that are known. */
  known: string[];
  links: LinkStatus[];
}

/** A write for the primary that a secondary sends on. */
export interface Forwarded {
  from: string;
  /** The epoch of the primary that the sender knows. */
  epoch: number;
}

/** Arguments of a command that only the primary carries out. */
export interface ForPrimary {
  forwarded?: Forwarded;
}

/** What the leader lends to endpoints. */
export interface FederationView {
  readonly primary: Primary;
  readonly status: FederationStatus;
}

/** What the datacenter is among others, as stored; null while nobody has said so. */
export const federationGet: QueryEndpoint<null, Federation | null> = {
  kind: "query",
  name: "federation.get",
  run: (state) => state.federation(),
  key: () => "federation.get",
};

/** How its replication stands. */
export const federationStatus: CommandEndpoint<null, FederationStatus> = {
  kind: "command",
  name: "federation.status",
  prepare: ({ federation }) => ({ answer: federation.status }),
};

/** The name of the store's history, made when it is asked for the first time. */
export const federationIdentify: CommandEndpoint<null, string> = {
  kind: "command",
  name: "federation.identify",
  prepare(context): Prepared<string> {
    const { state, datacenter } = context;
    const known = state.federation().value?.StoreID ?? "";
    if (known !== "") return { answer: known };
    const storeId = context.newId();
    return { command: { type: "federation.set", datacenter, storeId }, reply: () => storeId };
  },
};

/** What a move of the primary is asked with: who is to be it, and the epoch that counted when the plan was made. */
export interface MoveArgs {
  to: string;
  epoch: number;
}

/** The primary steps down in favour of another datacenter: from then on it takes no more of the primary's writes. */
export const primaryStepDown: CommandEndpoint<MoveArgs, Primary> = {
  kind: "command",
  name: "federation.step-down",
  prepare({ federation, datacenter }, { to, epoch }): Prepared<Primary> {
    const { primary } = federation;
    if (primary.Datacenter !== datacenter) throw refused(`${datacenter} is not the primary: ${primary.Datacenter} is`);
    return moved(primary, datacenter, to, epoch);
  },
};

/** `above` is the highest epoch that whoever asks has heard of. */
export interface SeizeArgs extends MoveArgs {
  above: number;
}

/** A secondary makes itself the primary without asking the one that was: for when that is gone. */
export const primarySeize: CommandEndpoint<SeizeArgs, Primary> = {
  kind: "command",
  name: "federation.seize",
  prepare({ federation, datacenter }, { to, epoch, above }): Prepared<Primary> {
    const { primary } = federation;
    if (to !== datacenter) throw refused(`${datacenter} cannot make ${to} the primary by force`);
    if (primary.Datacenter === datacenter) throw refused(`${datacenter} is the primary`);
    return moved(primary, datacenter, to, epoch, above);
  },
};

function moved(known: Primary, datacenter: string, to: string, epoch: number, above = 0): Prepared<Primary> {
  if (known.Epoch !== epoch)
    throw new OperationalError("conflict", `the primary was moved meanwhile: ${known.Datacenter} is it now`);
  const primary: Primary = {
    Datacenter: to,
    Epoch: Math.max(known.Epoch, above) + 1,
    // A datacenter that makes itself the primary takes over from nobody.
    From: to === datacenter ? "" : datacenter,
    Family: known.Family,
  };
  return {
    command: { type: "federation.set", datacenter, primary },
    reply(result) {
      if (!result.ok) throw refused(result.error.message);
      return primary;
    },
  };
}
