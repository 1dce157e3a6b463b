// Raft, autopilot and the keyring: https://developer.hashicorp.com/consul/api-docs/operator
import { parseJson } from "./json.ts";
import type { CasOptions } from "./config.ts";
import type { Method, Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import type {
  AutopilotConfiguration,
  AutopilotState,
  KeyringResponse,
  PrimaryMove,
  PrimaryMovePlan,
  PrimaryStatus,
  RaftConfiguration,
  RaftRecoveryPlan,
  ReplicationStatus,
  UserMap,
} from "./types.ts";

export interface KeyringOptions extends RequestOptions {
  /** 0 to 5: members that pass the answer on, for large pools. */
  relayFactor?: number;
}

export interface OperatorArea {
  raftConfiguration(options?: ReadOptions): Promise<Read<RaftConfiguration>>;
  /** By the server's id, or by its address with port. */
  raftRemovePeer(peer: { id: string } | { address: string }, options?: RequestOptions): Promise<void>;
  /** To the server with this id, or to the one the leader picks. */
  raftTransferLeader(id?: string, options?: RequestOptions): Promise<boolean>;
  /** What going on without the servers that are gone would mean: asked of any survivor. Proconsul only. */
  raftRecoveryPlan(options?: RequestOptions): Promise<RaftRecoveryPlan>;
  /** Does it, if the server that is to lead and the end of its log still are as the plan said. Proconsul only. */
  raftRecover(plan: Pick<RaftRecoveryPlan, "Lead" | "LastIndex">, options?: RequestOptions): Promise<RaftRecoveryPlan>;
  autopilotConfiguration(options?: ReadOptions): Promise<Read<AutopilotConfiguration>>;
  /** False only with `cas`. */
  setAutopilotConfiguration(configuration: Partial<AutopilotConfiguration>, options?: CasOptions): Promise<boolean>;
  /** An unhealthy cluster is an answer too, not an error. */
  autopilotHealth(options?: ReadOptions): Promise<UserMap<unknown> & { Healthy: boolean }>;
  autopilotState(options?: ReadOptions): Promise<Read<AutopilotState>>;
  keyringList(options?: KeyringOptions & { localOnly?: boolean }): Promise<KeyringResponse[]>;
  keyringInstall(key: string, options?: KeyringOptions): Promise<void>;
  keyringUse(key: string, options?: KeyringOptions): Promise<void>;
  keyringRemove(key: string, options?: KeyringOptions): Promise<void>;
  /** What this datacenter takes over from others, and how that stands. Proconsul only. */
  replication(options?: RequestOptions): Promise<ReplicationStatus>;
  /** Who every datacenter takes for the primary. Proconsul only. */
  primary(options?: RequestOptions): Promise<PrimaryStatus>;
  /** What moving the primary would mean. Proconsul only. */
  primaryPlan(to: string, options?: RequestOptions): Promise<PrimaryMovePlan>;
  /** Moves the primary, if nothing speaks against it, or by force. Proconsul only. */
  movePrimary(to: string, options?: RequestOptions & { force?: boolean }): Promise<PrimaryMove>;
  usage(options?: ReadOptions & { global?: boolean }): Promise<Read<{ Usage: UserMap<UserMap<unknown>> }>>;
}

export function operatorArea(transport: Transport): OperatorArea {
  const keyring = (method: Method, key: string, { relayFactor, ...options }: KeyringOptions = {}): Promise<void> =>
    transport.write(method, "operator/keyring", options, { "relay-factor": relayFactor || undefined }, { Key: key });
  return {
    raftConfiguration: (options) => transport.read("operator/raft/configuration", options),
    raftRemovePeer: (peer, options) => transport.write("DELETE", "operator/raft/peer", options, { ...peer }),
    async raftTransferLeader(id, options) {
      const path = "operator/raft/transfer-leader";
      return (await transport.write<{ Success: boolean }>("POST", path, options, { id })).Success;
    },
    raftRecoveryPlan: async (options) =>
      (await transport.read<RaftRecoveryPlan>("operator/raft/recovery", options)).value,
    raftRecover: ({ Lead, LastIndex }, options) =>
      transport.write("PUT", "operator/raft/recovery", options, { lead: Lead, index: LastIndex }),
    replication: async (options) => (await transport.read<ReplicationStatus>("operator/replication", options)).value,
    primary: async (options) => (await transport.read<PrimaryStatus>("operator/primary", options)).value,
    primaryPlan: async (to, options) =>
      (await transport.read<PrimaryMovePlan>("operator/primary", options, { to })).value,
    movePrimary: (to, { force, ...options } = {}) =>
      transport.write("PUT", "operator/primary", options, { to, force: force || undefined }),
    autopilotConfiguration: (options) => transport.read("operator/autopilot/configuration", options),
    setAutopilotConfiguration: (configuration, { cas, ...options } = {}) =>
      transport.write("PUT", "operator/autopilot/configuration", options, { cas }, configuration),
    async autopilotHealth(options) {
      const path = "operator/autopilot/health";
      const response = await transport.send({ method: "GET", path, options, outcomes: [429] });
      return parseJson(await response.text()) as UserMap<unknown> & { Healthy: boolean };
    },
    autopilotState: (options) => transport.read("operator/autopilot/state", options),
    async keyringList(options) {
      const query = { "relay-factor": options?.relayFactor || undefined, "local-only": options?.localOnly };
      return (await transport.read<KeyringResponse[]>("operator/keyring", options, query)).value;
    },
    keyringInstall: (key, options) => keyring("POST", key, options),
    keyringUse: (key, options) => keyring("PUT", key, options),
    keyringRemove: (key, options) => keyring("DELETE", key, options),
    usage: (options) => transport.read("operator/usage", options, { global: options?.global }),
  };
}
