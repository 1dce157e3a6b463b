// Sessions: the table, creation with its checks, and the end of sessions with all that follows from it in the same apply
// (https://developer.hashicorp.com/consul/docs/automate/session): locks released or their keys deleted, queries removed,
// checks of type "session" turned. Lock delay is the leader's: `releasedLocks` of change.ts tells it what to hold back.

import type { HealthCheck, Session } from "../types/records.ts";
import { writeCheck } from "./check.ts";
import type { Refusal, Unindexed } from "./command.ts";
import { sameRecord } from "./equal.ts";
import { GroupIndex } from "./group-index.ts";
import { fold, isKeyPart, keyOf } from "./key.ts";
import { kvDelete, kvRelease } from "./kv.ts";
import { createOrderedMap } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";
import { queryRemove } from "./prepared-query.ts";
import type { Transaction } from "./transaction.ts";

/** Sessions; the key is the ID. The lists given are the table's own: copy what is kept. */
export class SessionTable {
  readonly records: OrderedMap<Session> = createOrderedMap<Session>();
  readonly #byNode: GroupIndex<Session> = new GroupIndex();
  /** By node and check ID, which sessions a check carries. */
  readonly #byCheck: GroupIndex<string> = new GroupIndex();

  write(key: string, before: Session | null, after: Session | null): void {
    if (before !== null) {
      this.#byNode.delete(fold(before.Node), key);
      for (const check of checkIds(before)) this.#byCheck.delete(keyOf(before.Node, check), key);
    }
    if (after === null) {
      this.records.delete(key);
      return;
    }
    this.records.set(key, after);
    this.#byNode.set(fold(after.Node), key, after);
    for (const check of checkIds(after)) this.#byCheck.set(keyOf(after.Node, check), key, after.ID);
  }

  get(id: string): Session | undefined {
    return this.records.get(fold(id));
  }

  /** The sessions of a node, by ID. */
  onNode(node: string): readonly Session[] {
    return this.#byNode.list(fold(node));
  }

  /** The IDs of the sessions that a check carries. */
  boundTo(node: string, checkId: string): readonly string[] {
    return this.#byCheck.list(keyOf(node, checkId));
  }
}

/** The IDs of all checks that a session is bound to, none twice: those given in the old way come first, as in Consul. */
function checkIds(session: Unindexed<Session>): string[] {
  const ids = new Set<string>(session.Checks);
  for (const id of session.NodeChecks ?? []) ids.add(id);
  for (const check of session.ServiceChecks ?? []) ids.add(check.ID);
  return [...ids];
}

/** Makes a session, when its node and its checks let it. The same session again is no change. */
export function sessionCreate(tx: Transaction, input: Unindexed<Session>): Refusal | null {
  const { sessions, nodes } = tx.tables;
  if (input.ID === "") return { code: "refused", message: "Missing session ID" };
  const ids = checkIds(input);
  if (!isKeyPart(input.ID) || !isKeyPart(input.Node) || !ids.every(isKeyPart)) {
    return { code: "invalid-request", message: "Invalid session: a name must not contain a NUL character" };
  }
  if (nodes.get(input.Node) === undefined) return { code: "refused", message: "Missing node registration" };
  const existing = sessions.get(input.ID);
  if (existing !== undefined) {
    // Ids are random: this is the same proposal, applied once more after its answer was lost.
    return sameRecord(existing, input) ? null : { code: "conflict", message: `Session '${input.ID}' exists already` };
  }
  for (const id of ids) {
    const check = tx.tables.checks.get(input.Node, id);
    if (check === undefined) return { code: "refused", message: `Missing check '${id}' registration` };
    // A check of type "session" waits for its session in critical state.
    if (check.Status === "critical" && check.Type !== "session") {
      return { code: "refused", message: `Check '${id}' is in critical state` };
    }
  }
  const session: Session = {
    ID: input.ID,
    Name: input.Name,
    Node: input.Node,
    LockDelay: input.LockDelay,
    Behavior: input.Behavior,
    TTL: input.TTL,
    ...(input.Checks === undefined ? {} : { Checks: input.Checks }),
    NodeChecks: input.NodeChecks,
    ServiceChecks: input.ServiceChecks,
    CreateIndex: tx.index,
    ModifyIndex: tx.index,
  };
  tx.write({ table: "sessions", key: fold(session.ID), before: null, after: session });
  turnSessionChecks(tx, session, session);
  return null;
}

/** Ends a session and all that hangs on it; nothing to do when there is none. Follow with `endSessions`. */
export function sessionDestroy(tx: Transaction, id: string): void {
  tx.doomed.push(id);
}

/** Ends the doomed sessions in the order of their doom, and those that their end dooms, until none is left. */
export function endSessions(tx: Transaction): void {
  for (let i = 0; i < tx.doomed.length; i++) {
    const session = tx.tables.sessions.get(tx.doomed[i]!);
    if (session !== undefined) end(tx, session);
  }
  tx.doomed.length = 0;
}

function end(tx: Transaction, session: Session): void {
  tx.write({ table: "sessions", key: fold(session.ID), before: session, after: null });
  for (const key of tx.tables.kv.heldBy(session.ID).slice()) {
    if (session.Behavior === "delete") kvDelete(tx, key);
    else kvRelease(tx, key);
  }
  for (const query of tx.tables.queries.boundTo(session.ID).slice()) queryRemove(tx, query);
  const heir = tx.tables.sessions.onNode(session.Node).find((other) => other.Name === session.Name);
  turnSessionChecks(tx, session, heir ?? null);
}

/** Turns the node's checks of type "session" that name this session: passing with `holder`, else critical. */
function turnSessionChecks(tx: Transaction, session: Session, holder: Session | null): void {
  for (const check of tx.tables.checks.onNode(session.Node).slice()) {
    if (check.Type !== "session" || check.Definition["SessionName"] !== session.Name) continue;
    const after: HealthCheck = {
      ...check,
      Status: holder === null ? "critical" : "passing",
      Output: holder === null ? `Session '${session.ID}' is invalid` : `Session '${holder.ID}' in force`,
      ModifyIndex: tx.index,
    };
    if (after.Status !== check.Status || after.Output !== check.Output) writeCheck(tx, check, after);
  }
}
