// Random commands that a store may be given, of few names, so that they meet.
import type { Command, TxnCatalogVerb, TxnKVVerb, TxnOperation } from "../../src/state/command.ts";
import type { StateStore } from "../../src/state/store.ts";
import { check, deregister, kv, node, op, query, register, service, session } from "./fixtures.ts";

export type Next = (n: number) => number;

export const KEYS: readonly string[] = ["a", "a/1", "a/2", "a/b/1", "a/b/2", "ab", "b/1", "b/x/1", "c"];
export const PREFIXES: readonly string[] = ["", "a", "a/", "a/b/", "b/", "zz"];
export const NODES: readonly string[] = ["n1", "n2", "n3"];
export const SERVICES: readonly string[] = ["web", "db", "api"];
export const CHECKS: readonly string[] = ["c1", "c2", "serfHealth", "held"];
export const SESSIONS: readonly string[] = ["s1", "s2", "s3", "s4"];
export const QUERIES: readonly string[] = ["q1", "q2", "q3"];
const KV_VERBS: readonly TxnKVVerb[] = [
  "set",
  "cas",
  "lock",
  "unlock",
  "get",
  "get-or-empty",
  "get-tree",
  "check-index",
  "check-session",
  "check-not-exists",
  "delete",
  "delete-tree",
  "delete-cas",
];
const CATALOG_VERBS: readonly TxnCatalogVerb[] = ["set", "cas", "get", "delete", "delete-cas"];

export function pick<T>(next: Next, from: readonly T[]): T {
  return from[next(from.length)]!;
}

/** The name as somebody else would spell it. */
export function respelled(next: Next, name: string): string {
  return next(4) === 0 ? name.toUpperCase() : name;
}

/** Makes them, some to fit what the store holds. */
export class Generator {
  readonly next: Next;
  store: StateStore;
  constructor(next: Next, store: StateStore) {
    this.next = next;
    this.store = store;
  }

  command(): Command {
    const { next } = this;
    const key = pick(next, KEYS);
    const value = String(next(3));
    switch (next(26)) {
      case 0:
      case 1:
      case 2:
        return kv.set(key, value, next(2));
      case 3:
        return kv.cas(key, value, this.index(this.store.kvGet(key).value));
      case 4:
      case 5:
      case 6:
        return kv.lock(key, next(12) === 0 ? "" : pick(next, SESSIONS), value);
      case 7:
        return kv.unlock(key, pick(next, SESSIONS), value);
      case 8:
        return kv.delete(key);
      case 9:
        return kv.deleteCas(key, this.index(this.store.kvGet(key).value));
      case 10:
        return kv.deleteTree(pick(next, PREFIXES));
      case 11:
      case 12:
      case 13:
      case 14:
        return this.registration();
      case 15:
        return deregister(respelled(next, pick(next, NODES)), this.part());
      case 16:
      case 17:
      case 18:
        return {
          type: "session.create",
          session: session(pick(next, SESSIONS), pick(next, NODES), {
            Name: pick(next, ["", "leader", "other"]),
            Behavior: next(2) === 0 ? "release" : "delete",
            LockDelay: next(2) * 1e9,
            NodeChecks: next(2) === 0 ? null : [respelled(next, pick(next, CHECKS))],
            ...(next(3) === 0 ? { Checks: [respelled(next, pick(next, CHECKS))] } : {}),
          }),
        };
      case 19:
        return { type: "session.destroy", id: pick(next, SESSIONS) };
      case 20:
        return {
          type: "query.set",
          query: query(pick(next, QUERIES), pick(next, ["", "find", "geo-", "q2"]), {
            Session: next(2) === 0 ? "" : pick(next, SESSIONS),
            Template: { Type: next(2) === 0 ? "" : "name_prefix_match", Regexp: "", RemoveEmptyTags: false },
          }),
        };
      case 21:
        return { type: "query.delete", id: pick(next, QUERIES) };
      case 22: {
        const name = pick(next, SERVICES);
        const existing = this.store.configEntry("service-defaults", name).value;
        const cas = next(2) === 0 ? null : this.index(existing);
        if (next(3) === 0) return { type: "config.delete", kind: "service-defaults", name: respelled(next, name), cas };
        return { type: "config.set", entry: { Kind: "service-defaults", Name: name, Protocol: value }, cas };
      }
      case 23:
        return {
          type: "coordinate.update",
          updates: [
            {
              Node: pick(next, NODES),
              Segment: pick(next, ["", "alpha"]),
              Coord: { Vec: [next(3) / 10, 0], Error: 1.5, Adjustment: 0, Height: 1e-5 },
            },
          ],
        };
      default:
        return { type: "txn", operations: Array.from({ length: 1 + next(4) }, () => this.operation()) };
    }
  }

  /** A ModifyIndex that often fits. */
  index(existing: { ModifyIndex: number } | null): number {
    return this.next(3) === 0 ? this.next(4) : (existing?.ModifyIndex ?? 0);
  }

  registration(): Command {
    const { next } = this;
    const name = pick(next, NODES);
    return register(this.node(name), {
      ...(next(2) === 0 ? { service: this.service("") } : {}),
      checks: Array.from({ length: next(3) }, () => this.check(next(20) === 0 ? "n9" : respelled(next, name))),
      skipNodeUpdate: next(3) === 0,
    });
  }

  node(name: string): ReturnType<typeof node> {
    const { next } = this;
    return node(name, {
      // Now and then an ID that another node has: a renaming, or a clash.
      ID: next(3) === 0 ? "" : `id-${next(8) === 0 ? pick(next, NODES) : name}`,
      Address: `10.0.0.${next(2)}`,
      Meta: next(3) === 0 ? { rack: String(next(2)) } : null,
    });
  }

  service(onNode: string): ReturnType<typeof service> {
    const { next } = this;
    const proxy = next(5) === 0;
    return service(proxy ? "proxy" : respelled(next, pick(next, SERVICES)), {
      Node: onNode,
      ID: pick(next, ["", "i1", "i2"]),
      Tags: ["v1", "v2", "v3"].filter(() => next(2) === 0),
      Address: next(2) === 0 ? "" : `10.1.0.${next(2)}`,
      Port: next(2),
      Kind: proxy ? "connect-proxy" : "",
      Proxy: proxy ? { DestinationServiceName: pick(next, SERVICES) } : {},
      Connect: !proxy && next(6) === 0 ? { Native: true } : {},
    });
  }

  check(onNode: string): ReturnType<typeof check> {
    const { next } = this;
    const id = pick(next, CHECKS);
    return check(id, {
      Node: onNode,
      Status: pick(next, ["passing", "warning", "critical"] as const),
      Output: String(next(2)),
      ServiceID: pick(next, ["", "", "i1", "i2", "web"]),
      ...(id === "held" ? { Type: "session", Definition: { SessionName: "leader" } } : {}),
    });
  }

  part(): { serviceId?: string; checkId?: string } {
    const { next } = this;
    switch (next(3)) {
      case 0:
        return { serviceId: respelled(next, pick(next, ["i1", "i2", "web", "db"])) };
      case 1:
        return { checkId: respelled(next, pick(next, CHECKS)) };
      default:
        return {};
    }
  }

  operation(): TxnOperation {
    const { next } = this;
    const name = pick(next, NODES);
    switch (next(6)) {
      case 0: {
        const input = this.node(name);
        return op.node(pick(next, CATALOG_VERBS), input, this.index(this.store.node(name).value));
      }
      case 1: {
        const input = this.service(name);
        const found = this.store.nodeServices(name).value?.Services.find(({ ID }) => ID === input.ID);
        return op.service(pick(next, CATALOG_VERBS), input, this.index(found ?? null));
      }
      case 2: {
        const input = this.check(name);
        return op.check(pick(next, CATALOG_VERBS), input, this.index(this.store.check(name, input.CheckID).value));
      }
      default: {
        const key = pick(next, KEYS);
        return op.kv(pick(next, KV_VERBS), key, {
          value: String(next(3)),
          index: this.index(this.store.kvGet(key).value),
          session: pick(next, SESSIONS),
        });
      }
    }
  }
}
