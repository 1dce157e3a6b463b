// The store told as simply as possible: plain maps, whole copies to take back, and full scans for every answer. It has no
// index but the records' own. The random test holds the store against it.

import type { Command, TxnOperation, TxnOutcome, TxnResult, Unindexed } from "../../src/state/command.ts";
import type {
  ConfigEntry,
  HealthCheck,
  KVEntry,
  Node,
  NodeCoordinate,
  NodeService,
  PreparedQuery,
  Session,
  Uint64,
} from "../../src/types/records.ts";
import { canonical } from "./fixtures.ts";

const low = (name: string): string => name.toLowerCase();
const key = (...parts: string[]): string => parts.map(low).join("|");

class Refused extends Error {}

interface State {
  kv: Map<string, KVEntry>;
  nodes: Map<string, Node>;
  services: Map<string, NodeService>;
  checks: Map<string, HealthCheck>;
  sessions: Map<string, Session>;
  queries: Map<string, PreparedQuery>;
  config: Map<string, ConfigEntry>;
  coordinates: Map<string, NodeCoordinate>;
}

/** A copy of the table's records, in the order of their keys. */
function byId<T>(table: Map<string, T>): T[] {
  return [...table].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record);
}

/** True when two records say the same but for their indexes. */
function same(a: object, b: object): boolean {
  const bare = (record: object): string => canonical({ ...record, CreateIndex: 0, ModifyIndex: 0 });
  return bare(a) === bare(b);
}

/** The checks that a session hangs on. */
function bindings(session: Unindexed<Session>): string[] {
  return [...(session.Checks ?? []), ...(session.NodeChecks ?? [])];
}

export class Model {
  state: State = {
    kv: new Map(),
    nodes: new Map(),
    services: new Map(),
    checks: new Map(),
    sessions: new Map(),
    queries: new Map(),
    config: new Map(),
    coordinates: new Map(),
  };
  #index = 0;
  #doomed: string[] = [];

  /** The value, or the refusal's message after "refused: ". */
  apply(index: number, command: Command): unknown {
    this.#index = index;
    const before = this.#copy();
    try {
      const value = this.#run(command);
      this.#endDoomed();
      if (command.type === "txn" && (value as TxnOutcome).Errors !== null) this.state = before;
      return value;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.state = before;
      this.#doomed.length = 0;
      return `refused: ${error.message}`;
    }
  }

  #copy(): State {
    const copy = { ...this.state };
    for (const name of Object.keys(copy) as (keyof State)[]) {
      (copy as Record<string, unknown>)[name] = new Map(this.state[name] as Map<string, unknown>);
    }
    return copy;
  }

  /** Puts a record with its indexes, unless it says what is there. */
  #put<T extends { CreateIndex: number; ModifyIndex: number }>(
    table: Map<string, T>,
    at: string,
    record: Omit<T, "CreateIndex" | "ModifyIndex">,
  ): T {
    const existing = table.get(at);
    if (existing !== undefined && same(existing, record)) return existing;
    const CreateIndex = existing?.CreateIndex ?? this.#index;
    const put = { ...record, CreateIndex, ModifyIndex: this.#index } as T;
    table.set(at, put);
    return put;
  }

  #run(command: Command): unknown {
    const { state } = this;
    switch (command.type) {
      case "kv.set":
        this.#set(command.key, command.value, command.flags);
        return true;
      case "kv.cas":
        return this.#cas(command.key, command.value, command.flags, command.index) !== null;
      case "kv.lock":
        return this.#lock(command.key, command.value, command.flags, command.session) !== null;
      case "kv.unlock":
        return this.#unlock(command.key, command.value, command.flags, command.session) !== null;
      case "kv.delete":
        state.kv.delete(command.key);
        return true;
      case "kv.delete-cas":
        return this.#deleteCas(command.key, command.index);
      case "kv.delete-tree":
        for (const name of state.kv.keys()) if (name.startsWith(command.prefix)) state.kv.delete(name);
        return true;
      case "catalog.register":
        this.#register(command);
        return true;
      case "catalog.deregister":
        if (command.serviceId !== "") this.#dropService(command.node, command.serviceId);
        else if (command.checkId !== "") this.#dropCheck(command.node, command.checkId);
        else this.#dropNode(command.node);
        return true;
      case "session.create":
        return this.#createSession(command.session);
      case "session.destroy":
        this.#endSession(command.id);
        return true;
      case "query.set":
        return this.#setQuery(command.query);
      case "query.delete":
        state.queries.delete(low(command.id));
        return true;
      case "config.set": {
        const at = `${command.entry.Kind}|${low(command.entry.Name)}`;
        if (command.cas !== null && !this.#matches(state.config.get(at), command.cas)) return false;
        this.#put(state.config, at, command.entry);
        return true;
      }
      case "config.delete": {
        const at = `${command.kind}|${low(command.name)}`;
        if (command.cas !== null && state.config.get(at)?.ModifyIndex !== command.cas) return false;
        state.config.delete(at);
        return true;
      }
      case "coordinate.update":
        for (const update of command.updates) {
          if (state.nodes.has(low(update.Node))) state.coordinates.set(key(update.Node, update.Segment), update);
        }
        return true;
      case "txn":
        return this.#txn(command.operations);
      default:
        throw new Error(`the model does not know ${command.type}`);
    }
  }

  #matches(existing: { ModifyIndex: number } | undefined, index: Uint64): boolean {
    return existing === undefined ? index === 0 : index !== 0 && existing.ModifyIndex === index;
  }

  // Keys.

  #putKey(name: string, Value: Uint8Array, Flags: Uint64, LockIndex: Uint64, session: string | undefined): KVEntry {
    const entry = { Key: name, Value, Flags, LockIndex, ...(session === undefined ? {} : { Session: session }) };
    return this.#put(this.state.kv, name, entry);
  }
  #set(name: string, value: Uint8Array, flags: Uint64): KVEntry {
    const existing = this.state.kv.get(name);
    return this.#putKey(name, value, flags, existing?.LockIndex ?? 0, existing?.Session);
  }
  #cas(name: string, value: Uint8Array, flags: Uint64, index: Uint64): KVEntry | null {
    return this.#matches(this.state.kv.get(name), index) ? this.#set(name, value, flags) : null;
  }
  #lock(name: string, value: Uint8Array, flags: Uint64, session: string): KVEntry | null {
    if (session === "") throw new Refused("missing session");
    if (!this.state.sessions.has(low(session))) throw new Refused(`invalid session "${session}"`);
    const existing = this.state.kv.get(name);
    if (existing?.Session !== undefined && existing.Session !== session) return null;
    const lockIndex = Number(existing?.LockIndex ?? 0) + (existing?.Session === session ? 0 : 1);
    return this.#putKey(name, value, flags, lockIndex, session);
  }
  #unlock(name: string, value: Uint8Array, flags: Uint64, session: string): KVEntry | null {
    if (session === "") throw new Refused("missing session");
    const existing = this.state.kv.get(name);
    if (existing === undefined || existing.Session !== session) return null;
    return this.#putKey(name, value, flags, existing.LockIndex, undefined);
  }
  #deleteCas(name: string, index: Uint64): boolean {
    const existing = this.state.kv.get(name);
    if (existing === undefined) return true;
    if (existing.ModifyIndex !== index) return false;
    return this.state.kv.delete(name);
  }

  // The catalog.

  #register(command: Extract<Command, { type: "catalog.register" }>): void {
    const existing = this.state.nodes.get(low(command.node.Node));
    if (existing === undefined || !command.skipNodeUpdate) {
      if (existing === undefined || !same({ ...existing, Node: command.node.Node }, command.node)) {
        this.#within("failed inserting node: ", () => this.#ensureNode(command.node));
      }
    }
    const name = command.node.Node;
    if (command.service !== null) {
      const input = { ...command.service, Node: name };
      this.#within("failed inserting service: ", () => this.#ensureService(input));
    }
    for (const check of command.checks) {
      const input = { ...check, Node: check.Node || name };
      if (low(input.Node) !== low(name)) {
        throw new Refused(
          `Node '${input.Node}' for check '${input.CheckID}' doesn't match register request node '${name}'`,
        );
      }
      if (input.ServiceID !== "" && !this.state.services.has(key(name, input.ServiceID))) {
        throw new Refused(`Unknown service ID '${input.ServiceID}' for check ID '${input.CheckID}'`);
      }
      this.#ensureCheck(input);
    }
  }
  #within(what: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      throw error instanceof Refused ? new Refused(what + error.message) : error;
    }
  }
  #ensureNode(input: Unindexed<Node>): void {
    const { nodes, checks } = this.state;
    let created: number | undefined;
    if (input.ID !== "") {
      const known = [...nodes.values()].find((node) => low(node.ID) === low(input.ID));
      const holder = nodes.get(low(input.Node));
      const serf = checks.get(key(input.Node, "serfHealth"));
      const taken = holder !== undefined && holder !== known && serf !== undefined && serf.Status !== "critical";
      if (known === undefined && taken && holder.ID !== "") {
        throw new Refused(
          `Error while renaming Node ID: "${input.ID}": Node name ${input.Node} is reserved by node ${holder.ID} with name ${holder.Node} (${holder.Address})`,
        );
      }
      if (known !== undefined && low(known.Node) !== low(input.Node)) {
        if (taken) {
          throw new Refused(
            `Error while renaming Node ID: "${input.ID}" (${input.Address}): Node name ${input.Node} is reserved by node ${holder.ID} with name ${holder.Node} (${holder.Address})`,
          );
        }
        created = known.CreateIndex;
        this.#dropNode(known.Node);
      }
    }
    const put = this.#put(nodes, low(input.Node), input);
    if (created !== undefined) nodes.set(low(input.Node), { ...put, CreateIndex: created, ModifyIndex: this.#index });
  }
  #dropNode(name: string): void {
    const { state } = this;
    for (const service of byId(state.services)) {
      if (low(service.Node) === low(name)) this.#dropService(name, service.ID);
    }
    for (const check of byId(state.checks)) {
      if (low(check.Node) === low(name)) this.#dropCheck(name, check.CheckID);
    }
    for (const [at, coordinate] of state.coordinates) {
      if (low(coordinate.Node) === low(name)) state.coordinates.delete(at);
    }
    state.nodes.delete(low(name));
    for (const session of byId(state.sessions)) if (low(session.Node) === low(name)) this.#endSession(session.ID);
  }
  #ensureService(input: Unindexed<NodeService>): void {
    const node = this.state.nodes.get(low(input.Node));
    if (node === undefined) throw new Refused("Missing node registration");
    const ID = input.ID || input.Service;
    this.#put(this.state.services, key(input.Node, ID), { ...input, ID, Node: node.Node });
  }
  #dropService(name: string, id: string): void {
    if (!this.state.services.has(key(name, id))) return;
    for (const check of byId(this.state.checks)) {
      if (low(check.Node) === low(name) && low(check.ServiceID) === low(id)) this.#dropCheck(name, check.CheckID);
    }
    this.state.services.delete(key(name, id));
  }
  #ensureCheck(input: Unindexed<HealthCheck>): void {
    const node = this.state.nodes.get(low(input.Node));
    if (node === undefined) throw new Refused("Missing node registration");
    const service = this.state.services.get(key(input.Node, input.ServiceID));
    if (input.ServiceID !== "" && service === undefined) throw new Refused("Missing service registration");
    const check = {
      ...input,
      Node: node.Node,
      Status: input.Status || ("critical" as const),
      ServiceName: service?.Service ?? input.ServiceName,
      ServiceTags: service?.Tags ?? input.ServiceTags,
    };
    this.#putCheck(check);
  }
  #putCheck(check: Unindexed<HealthCheck>): void {
    this.#put(this.state.checks, key(check.Node, check.CheckID), check);
    if (check.Status === "critical") this.#unbind(check.Node, check.CheckID);
  }
  #dropCheck(name: string, id: string): void {
    if (this.state.checks.delete(key(name, id))) this.#unbind(name, id);
  }
  /** Ends the sessions that a check carried. */
  #unbind(name: string, id: string): void {
    for (const session of byId(this.state.sessions)) {
      if (low(session.Node) === low(name) && bindings(session).some((check) => low(check) === low(id))) {
        this.#endSession(session.ID);
      }
    }
  }

  // Sessions and queries.

  #createSession(input: Unindexed<Session>): string {
    const { state } = this;
    if (!state.nodes.has(low(input.Node))) throw new Refused("Missing node registration");
    const existing = state.sessions.get(low(input.ID));
    if (existing !== undefined) {
      if (same(existing, input)) return input.ID;
      throw new Refused(`Session '${input.ID}' exists already`);
    }
    for (const id of bindings(input)) {
      const check = state.checks.get(key(input.Node, id));
      if (check === undefined) throw new Refused(`Missing check '${id}' registration`);
      if (check.Status === "critical" && check.Type !== "session")
        throw new Refused(`Check '${id}' is in critical state`);
    }
    this.#put(state.sessions, low(input.ID), input);
    this.#turn(input.Node, input.Name, "passing", `Session '${input.ID}' in force`);
    return input.ID;
  }
  #turn(name: string, sessionName: string, Status: "passing" | "critical", Output: string): void {
    for (const check of byId(this.state.checks)) {
      if (low(check.Node) !== low(name) || check.Type !== "session") continue;
      if (check.Definition["SessionName"] !== sessionName) continue;
      if (check.Status !== Status || check.Output !== Output) this.#putCheck({ ...check, Status, Output });
    }
  }
  #endSession(id: string): void {
    this.#doomed.push(id);
  }
  /** In the order of doom. */
  #endDoomed(): void {
    for (let id = this.#doomed.shift(); id !== undefined; id = this.#doomed.shift()) this.#end(id);
  }
  #end(id: string): void {
    const { state } = this;
    const session = state.sessions.get(low(id));
    if (session === undefined) return;
    state.sessions.delete(low(id));
    for (const entry of byId(state.kv)) {
      if (entry.Session !== session.ID) continue;
      if (session.Behavior === "delete") state.kv.delete(entry.Key);
      else this.#putKey(entry.Key, entry.Value, entry.Flags, entry.LockIndex, undefined);
    }
    for (const query of byId(state.queries)) if (query.Session === session.ID) state.queries.delete(low(query.ID));
    const heirs = [...state.sessions.values()].filter(
      (other) => low(other.Node) === low(session.Node) && other.Name === session.Name,
    );
    const heir = heirs.map((other) => other.ID).sort()[0];
    if (heir === undefined) this.#turn(session.Node, session.Name, "critical", `Session '${session.ID}' is invalid`);
    else this.#turn(session.Node, session.Name, "passing", `Session '${heir}' in force`);
  }
  #setQuery(input: Unindexed<PreparedQuery>): string {
    const { queries, sessions } = this.state;
    const others = [...queries.values()].filter((other) => low(other.ID) !== low(input.ID));
    if (input.Name !== "" && others.some((other) => low(other.Name) === low(input.Name))) {
      throw new Refused(`name '${input.Name}' aliases an existing query name`);
    }
    if (
      input.Name === "" &&
      input.Template.Type !== "" &&
      others.some((other) => other.Name === "" && other.Template.Type !== "")
    ) {
      throw new Refused("a query template with an empty name already exists");
    }
    if (queries.has(low(input.Name))) throw new Refused(`name '${input.Name}' aliases an existing query ID`);
    if (input.Session !== "" && !sessions.has(low(input.Session)))
      throw new Refused(`invalid session "${input.Session}"`);
    this.#put(queries, low(input.ID), input);
    return input.ID;
  }

  // Transactions.

  #txn(operations: readonly TxnOperation[]): TxnOutcome {
    const Results: TxnResult[] = [];
    const Errors: { OpIndex: number; What: string }[] = [];
    for (const [OpIndex, operation] of operations.entries()) {
      try {
        Results.push(...this.#operation(operation));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        Errors.push({ OpIndex, What: error.message });
      }
      this.#endDoomed();
    }
    return Errors.length > 0 ? { Results: null, Errors } : { Results, Errors: null };
  }

  #operation(operation: TxnOperation): TxnResult[] {
    const { state } = this;
    const { index } = operation;
    if (operation.kind === "kv") return this.#kvOperation(operation);
    if (operation.kind === "node") {
      const input = operation.node;
      const found = (): Node | undefined =>
        input.ID === ""
          ? state.nodes.get(low(input.Node))
          : [...state.nodes.values()].find((node) => low(node.ID) === low(input.ID));
      const named = state.nodes.get(low(input.Node));
      if (operation.verb === "get" && found() === undefined) throw new Refused(`node "${input.Node}" doesn't exist`);
      if (operation.verb === "cas" && !this.#matches(named, index)) {
        throw new Refused(`failed to set node "${input.Node}", index is stale`);
      }
      if (operation.verb === "delete-cas" && named?.ModifyIndex !== index) {
        throw new Refused(`failed to delete node "${input.Node}", index is stale`);
      }
      if (operation.verb.startsWith("delete")) {
        this.#dropNode(input.Node);
        return [];
      }
      if (operation.verb !== "get") this.#ensureNode(input);
      return [{ Node: found()! }];
    }
    if (operation.kind === "service") {
      const input = { ...operation.service, ID: operation.service.ID || operation.service.Service };
      const at = key(input.Node, input.ID);
      const what = `service "${input.ID}" on node "${input.Node}"`;
      const found = state.services.get(at);
      if (operation.verb === "get" && found === undefined) throw new Refused(`${what} doesn't exist`);
      if (operation.verb === "cas" && !this.#matches(found, index))
        throw new Refused(`failed to set ${what}, index is stale`);
      if (operation.verb === "delete-cas" && found?.ModifyIndex !== index) {
        throw new Refused(`failed to delete ${what}, index is stale`);
      }
      if (operation.verb.startsWith("delete")) {
        this.#dropService(input.Node, input.ID);
        return [];
      }
      if (operation.verb !== "get") this.#ensureService(input);
      return [{ Service: state.services.get(at)! }];
    }
    const input = operation.check;
    const at = key(input.Node, input.CheckID);
    const what = `check "${input.CheckID}" on node "${input.Node}"`;
    const found = state.checks.get(at);
    if (operation.verb === "get" && found === undefined) throw new Refused(`${what} doesn't exist`);
    if (operation.verb === "cas" && !this.#matches(found, index))
      throw new Refused(`failed to set ${what}, index is stale`);
    if (operation.verb === "delete-cas" && found?.ModifyIndex !== index) {
      throw new Refused(`failed to delete ${what}, index is stale`);
    }
    if (operation.verb.startsWith("delete")) {
      this.#dropCheck(input.Node, input.CheckID);
      return [];
    }
    if (operation.verb !== "get") this.#ensureCheck(input);
    return [{ Check: state.checks.get(at)! }];
  }

  #kvOperation(operation: Extract<TxnOperation, { kind: "kv" }>): TxnResult[] {
    const { key: name, value, flags, index, session } = operation;
    const { kv } = this.state;
    const found = kv.get(name);
    const bare = (entry: KVEntry | null, failure: string): TxnResult[] => {
      if (entry === null) throw new Refused(failure);
      return [{ KV: { ...entry, Value: null } }];
    };
    switch (operation.verb) {
      case "set":
        return bare(this.#set(name, value, flags), "");
      case "cas":
        return bare(this.#cas(name, value, flags, index), `failed to set key "${name}", index is stale`);
      case "lock":
        return bare(this.#lock(name, value, flags, session), `failed to lock key "${name}", lock is already held`);
      case "unlock":
        return bare(
          this.#unlock(name, value, flags, session),
          `failed to unlock key "${name}", lock isn't held, or is held by another session`,
        );
      case "get":
        if (found === undefined) throw new Refused(`key "${name}" doesn't exist`);
        return [{ KV: found }];
      case "get-or-empty":
        if (found !== undefined) return [{ KV: found }];
        return [{ KV: { LockIndex: 0, Key: name, Flags: flags, Value: null, CreateIndex: 0, ModifyIndex: 0 } }];
      case "get-tree":
        return [...kv.values()]
          .filter((entry) => entry.Key.startsWith(name))
          .sort((a, b) => (a.Key < b.Key ? -1 : 1))
          .map((entry) => ({ KV: entry }));
      case "check-index":
        if (found === undefined) throw new Refused(`failed to check index, key "${name}" doesn't exist`);
        if (found.ModifyIndex !== index) {
          throw new Refused(
            `failed index check for key "${name}", current modify index ${found.ModifyIndex} != ${index}`,
          );
        }
        return bare(found, "");
      case "check-session":
        if (found === undefined) throw new Refused(`failed to check session, key "${name}" doesn't exist`);
        if ((found.Session ?? "") !== session) {
          throw new Refused(
            `failed session check for key "${name}", current session "${found.Session ?? ""}" != "${session}"`,
          );
        }
        return bare(found, "");
      case "check-not-exists":
        if (found !== undefined) throw new Refused(`key "${name}" exists`);
        return [];
      case "delete":
        kv.delete(name);
        return [];
      case "delete-cas":
        if (!this.#deleteCas(name, index)) throw new Refused(`failed to delete key "${name}", index is stale`);
        return [];
      case "delete-tree":
        for (const at of kv.keys()) if (at.startsWith(name)) kv.delete(at);
        return [];
      default:
        throw new Refused(`unknown KV operation: ${String(operation.verb)}`);
    }
  }
}
