// Brings the catalog in line with a member of the LAN pool: pure, (member, store) → command or nothing. Only this file
// turns a gossip member into a catalog node (Consul: leader reconciliation, `serfHealth`).
import type { CatalogRegister, Command } from "../state/command.ts";
import type { StateStore } from "../state/store.ts";
import type { UserMap } from "../types/records.ts";

/** A member as the pool sees it. */
export interface Member {
  name: string;
  /** The node's UUID. */
  id: string;
  address: string;
  datacenter: string;
  status: "alive" | "leaving" | "left" | "failed";
  /** What a server registers as service `consul`; null for a client. */
  server: { port: number; meta: UserMap } | null;
}

export const SERF_HEALTH = "serfHealth";
const CONSUL_SERVICE = "consul";
const ALIVE_OUTPUT = "Agent alive and reachable";
const FAILED_OUTPUT = "Agent not live or unreachable";

/**
 * The command that makes the catalog say what `member` is, or null when it says so already. An agent that came back under
 * its name with another id, since its data directory is new, takes two: the first says that the one of before is gone,
 * which ends its sessions and frees the name.
 */
export function reconcileMember(member: Member, state: StateStore): Command | null {
  const node = state.node(member.name).value;
  if (member.status === "alive" && node !== null && isAnother(node.ID, member.id)) {
    const health = state.check(member.name, SERF_HEALTH).value;
    if (health !== null && health.Status !== "critical")
      return registration({ ...member, id: node.ID, address: node.Address, server: null }, state, "critical");
  }
  switch (member.status) {
    case "alive":
      return isCurrent(member, state) ? null : registration(member, state, "passing");
    case "failed": {
      const health = state.check(member.name, SERF_HEALTH).value;
      if (node !== null && health?.Status === "critical") return null;
      return registration(member, state, "critical");
    }
    case "left":
      return node === null ? null : { type: "catalog.deregister", node: member.name, serviceId: "", checkId: "" };
    case "leaving":
      return null;
  }
}

/**
 * Nodes that only the pool can have brought into the catalog and that it does not know, as members that have failed: they
 * were reaped while nobody led, or have not come back since all agents were started anew. Nodes that were registered by
 * hand have no `serfHealth`, and are none of them.
 */
export function absentMembers(members: readonly Member[], datacenter: string, state: StateStore): Member[] {
  const names = new Set(members.map(({ name }) => name));
  return state
    .nodes()
    .value.flatMap(({ Node: name, ID: id, Address: address, Datacenter }) =>
      names.has(name) || Datacenter !== datacenter || state.check(name, SERF_HEALTH).value === null
        ? []
        : [{ name, id, address, datacenter, status: "failed", server: null }],
    );
}

const isAnother = (id: string, other: string): boolean => id !== "" && id !== other;

function isCurrent(member: Member, state: StateStore): boolean {
  const found = state.nodeServices(member.name).value;
  if (found === null || found.Node.Address !== member.address || found.Node.ID !== member.id) return false;
  const health = state.check(member.name, SERF_HEALTH).value;
  if (health === null || health.Status !== "passing" || health.Output !== ALIVE_OUTPUT) return false;
  if (member.server === null) return true;
  const service = found.Services.find(({ ID }) => ID === CONSUL_SERVICE);
  return service !== undefined && service.Port === member.server.port && sameMap(service.Meta, member.server.meta);
}

function registration(member: Member, state: StateStore, status: "passing" | "critical"): CatalogRegister {
  const known = state.node(member.name).value;
  return {
    type: "catalog.register",
    node: {
      ID: member.id,
      Node: member.name,
      Address: member.address,
      Datacenter: member.datacenter,
      // The agent itself says these (anti-entropy); what it said is kept.
      TaggedAddresses: known?.TaggedAddresses ?? null,
      Meta: known?.Meta ?? null,
    },
    service:
      member.server === null
        ? null
        : {
            Node: member.name,
            Kind: "",
            ID: CONSUL_SERVICE,
            Service: CONSUL_SERVICE,
            Tags: [],
            Address: "",
            TaggedAddresses: null,
            Meta: member.server.meta,
            Port: member.server.port,
            Ports: null,
            SocketPath: "",
            Weights: { Passing: 1, Warning: 1 },
            EnableTagOverride: false,
            Proxy: Object.create(null) as UserMap<unknown>,
            Connect: Object.create(null) as UserMap<unknown>,
            Locality: null,
            PeerName: "",
          },
    checks: [
      {
        Node: member.name,
        CheckID: SERF_HEALTH,
        Name: "Serf Health Status",
        Status: status,
        Notes: "",
        Output: status === "passing" ? ALIVE_OUTPUT : FAILED_OUTPUT,
        ServiceID: "",
        ServiceName: "",
        ServiceTags: [],
        Type: "",
        Interval: "",
        Timeout: "",
        ExposedPort: 0,
        Definition: Object.create(null) as UserMap<unknown>,
      },
    ],
    skipNodeUpdate: false,
  };
}

function sameMap(a: UserMap | null, b: UserMap): boolean {
  const keys = Object.keys(b);
  return a !== null && Object.keys(a).length === keys.length && keys.every((key) => a[key] === b[key]);
}
