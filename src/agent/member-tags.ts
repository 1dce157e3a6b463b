// Members and what they say of themselves, with Consul's tags (Serf's `role`, `dc`, `id` and so on): from the configuration
// to tags, and from a member of a gossip pool to what the catalog, the API and other servers want to know of it.
import type { AgentMember } from "../client/types.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import type { MemberStatus, MemberView, Tags, Versions } from "../gossip/types.ts";
import type { Member } from "../server/reconcile.ts";
import type { UserMap } from "../types/records.ts";
import { formatDuration, nsPerMs } from "../util/duration.ts";
import { joinHostPort } from "../util/ip-address.ts";
import { toUserMap } from "../util/user-map.ts";
import { CONSUL_VERSION, VERSION } from "../version.ts";
import { splitHostPort } from "./pool-address.ts";

/** What a server says of itself beside its name, status and address. */
export interface ServerTags {
  readonly id: string;
  readonly datacenter: string;
  /** `host:port` where it takes the calls of other agents. */
  readonly address: string;
  readonly version: string;
  /** How many servers it waits for; 0 when it does not say. */
  readonly expect: number;
  readonly isBootstrap: boolean;
  /** It has no vote, and is to have none. */
  readonly isReadReplica: boolean;
  /** The port of the pool between datacenters; 0 when it is in none. */
  readonly wanJoinPort: number;
}

/** Protocol versions as Serf's members state them. */
export const MEMBER_VERSIONS: Versions = {
  protocolMin: 1,
  protocolMax: 5,
  protocolCurrent: 2,
  delegateMin: 2,
  delegateMax: 5,
  delegateCurrent: 4,
};

/** The tag by which a client says for how long it is to be remembered when it has failed. */
export const RECONNECT_TIMEOUT_TAG = "rc_tm";

/** The tag by which a member that nobody can call says which address its node has. */
const ADDRESS_TAG = "addr";

const SERVER_ROLE = "consul";
const CLIENT_ROLE = "node";
const STATUS_NUMBERS: Record<MemberStatus, number> = { alive: 1, leaving: 2, left: 3, failed: 4 };

/** The tags of this agent, in either pool. */
export function memberTags(config: AgentConfig): UserMap {
  const { ports } = config;
  const tags: [string, string][] = [
    ["role", config.server ? SERVER_ROLE : CLIENT_ROLE],
    ["dc", config.datacenter],
    ["segment", ""],
    ["id", config.nodeId],
    ["vsn", "2"],
    ["vsn_min", "2"],
    ["vsn_max", "3"],
    ["build", `${CONSUL_VERSION}:proconsul-${VERSION}`],
  ];
  if (config.server) {
    tags.push(
      ["port", String(ports.server)],
      ["wan_join_port", String(ports.serfWan)],
      ["raft_vsn", String(config.raft.protocol)],
      ["acls", config.acl.enabled ? "1" : "0"],
      ["ft_fs", "1"],
      ["ft_si", "1"],
    );
    if (ports.grpc > 0) tags.push(["grpc_port", String(ports.grpc)]);
    if (ports.grpcTls > 0) tags.push(["grpc_tls_port", String(ports.grpcTls)]);
    if (config.bootstrap || config.dev) tags.push(["bootstrap", "1"]);
    if (config.bootstrapExpect > 0) tags.push(["expect", String(config.bootstrapExpect)]);
  }
  // A leaf of the pool has no address there that could be called; the catalog wants one all the same.
  if (config.ports.serfLan <= 0) tags.push([ADDRESS_TAG, config.advertiseAddress]);
  if (!config.server && config.advertiseReconnectTimeoutMs > 0) {
    tags.push([RECONNECT_TIMEOUT_TAG, formatDuration(config.advertiseReconnectTimeoutMs * nsPerMs)]);
  }
  return toUserMap(tags);
}

/** True for a member that says it is a server. */
export function isServer(tags: Tags): boolean {
  return tags.role === SERVER_ROLE;
}

/** What a server says; null for a client, and for who calls itself a server without a port. */
export function serverTags({ tags, address }: Pick<MemberView, "tags" | "address">): ServerTags | null {
  const port = portOf(tags.port);
  if (!isServer(tags) || port === 0) return null;
  return {
    id: tags.id ?? "",
    datacenter: tags.dc ?? "",
    address: joinHostPort(splitHostPort(address).host, port),
    version: versionOf(tags),
    expect: portOf(tags.expect),
    isBootstrap: tags.bootstrap === "1",
    isReadReplica: tags.read_replica === "1" || tags.nonvoter === "1",
    wanJoinPort: portOf(tags.wan_join_port),
  };
}

/** The member as the catalog is to have it. */
export function catalogMember({ name, address, tags, status, versions }: MemberView): Member {
  const server = serverTags({ tags, address });
  return {
    name,
    id: tags.id ?? "",
    address: hostOf({ tags, address }),
    datacenter: tags.dc ?? "",
    status,
    server: server === null ? null : { port: portOf(tags.port), meta: serverMeta(tags, versions) },
  };
}

const hostOf = ({ tags, address }: Pick<MemberView, "tags" | "address">): string =>
  address === "" ? (tags[ADDRESS_TAG] ?? "") : splitHostPort(address).host;

/** What the service `consul` of a server shows of its tags. */
function serverMeta(tags: Tags, versions: Versions): UserMap {
  const isReadReplica = tags.read_replica === "1" || tags.nonvoter === "1";
  const meta: [string, string][] = [
    ["non_voter", String(isReadReplica)],
    ["raft_version", tags.raft_vsn ?? "0"],
    ["read_replica", String(isReadReplica)],
    ["serf_protocol_current", String(versions.protocolCurrent)],
    ["serf_protocol_min", String(versions.protocolMin)],
    ["serf_protocol_max", String(versions.protocolMax)],
    ["version", versionOf(tags)],
  ];
  for (const key of ["grpc_port", "grpc_tls_port"] as const)
    if (portOf(tags[key]) > 0) meta.push([key, tags[key] as string]);
  return toUserMap(meta);
}

/** The member as the API shows it. */
export function shownMember({ name, address, tags, status, versions }: MemberView): AgentMember {
  const { port } = splitHostPort(address);
  return {
    Name: name,
    Addr: hostOf({ tags, address }),
    Port: port,
    Tags: toUserMap(Object.entries(tags)),
    Status: STATUS_NUMBERS[status],
    ProtocolMin: versions.protocolMin,
    ProtocolMax: versions.protocolMax,
    ProtocolCur: versions.protocolCurrent,
    DelegateMin: versions.delegateMin,
    DelegateMax: versions.delegateMax,
    DelegateCur: versions.delegateCurrent,
  };
}

/** Consul's version, without what the build adds to it. */
function versionOf(tags: Tags): string {
  return (tags.build ?? "").split(":")[0] as string;
}

/** A port or a small number of a tag; 0 when it is none. */
function portOf(tag: string | undefined): number {
  return tag !== undefined && /^\d{1,5}$/.test(tag) && Number(tag) < 65_536 ? Number(tag) : 0;
}
