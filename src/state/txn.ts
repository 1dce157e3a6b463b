// Transactions: operations on keys, nodes, services and checks that all happen or none does
// (https://developer.hashicorp.com/consul/api-docs/txn). After a failed operation the others are still tried, so that all
// errors are told; then everything is taken back.

import type { KVEntry } from "../types/records.ts";
import {
  checkCas,
  checkDelete,
  ensureCheck,
  ensureNode,
  ensureService,
  nodeCas,
  nodeDelete,
  serviceCas,
  serviceDelete,
} from "./catalog.ts";
import type { Refusal, TxnError, TxnKV, TxnOperation, TxnOutcome, TxnResult } from "./command.ts";
import { prefixEnd } from "./key.ts";
import { kvCas, kvDelete, kvDeleteCas, kvDeleteTree, kvLock, kvSet, kvUnlock } from "./kv.ts";
import { endSessions } from "./session.ts";
import type { Transaction } from "./transaction.ts";

type Operation<K extends TxnOperation["kind"]> = Extract<TxnOperation, { kind: K }>;

/** What an operation gives: results (maybe none), or why it failed. */
type Outcome = TxnResult[] | string;

/** Runs the operations. With errors the caller has to roll back. */
export function runTxn(tx: Transaction, operations: readonly TxnOperation[]): TxnOutcome {
  const results: TxnResult[] = [];
  const errors: TxnError[] = [];
  for (const [index, operation] of operations.entries()) {
    const outcome = run(tx, operation);
    if (typeof outcome === "string") errors.push({ OpIndex: index, What: outcome });
    else for (const result of outcome) results.push(result);
    // What the operation ended is ended before the next one looks.
    endSessions(tx);
  }
  return errors.length > 0 ? { Results: null, Errors: errors } : { Results: results, Errors: null };
}

function run(tx: Transaction, operation: TxnOperation): Outcome {
  switch (operation.kind) {
    case "kv":
      return runKV(tx, operation);
    case "node":
      return runNode(tx, operation);
    case "service":
      return runService(tx, operation);
    case "check":
      return runCheck(tx, operation);
    default:
      return "no operation specified";
  }
}

/** Names as Consul quotes them. */
function quote(name: string): string {
  return JSON.stringify(name);
}

function isRefusal(outcome: object): outcome is Refusal {
  return "code" in outcome;
}

function shown(entry: KVEntry, value: Uint8Array | null): TxnResult {
  const kv: TxnKV = { ...entry, Value: value };
  return { KV: kv };
}

/** The result of a KV write: null means that its condition did not hold. */
function written(outcome: KVEntry | null | Refusal, failure: string): Outcome {
  if (outcome === null) return failure;
  return isRefusal(outcome) ? outcome.message : [shown(outcome, null)];
}

function runKV(tx: Transaction, operation: Operation<"kv">): Outcome {
  const { key, value, flags, index, session, seen } = operation;
  const entry = tx.tables.kv.entries.get(key);
  switch (operation.verb) {
    case "set":
      return [shown(kvSet(tx, key, value, flags), null)];
    case "cas":
      return written(kvCas(tx, key, value, flags, index), `failed to set key ${quote(key)}, index is stale`);
    case "lock":
      return written(
        kvLock(tx, key, value, flags, session, seen),
        `failed to lock key ${quote(key)}, lock is already held`,
      );
    case "unlock":
      return written(
        kvUnlock(tx, key, value, flags, session),
        `failed to unlock key ${quote(key)}, lock isn't held, or is held by another session`,
      );
    case "delete":
      kvDelete(tx, key);
      return [];
    case "delete-cas":
      return kvDeleteCas(tx, key, index) ? [] : `failed to delete key ${quote(key)}, index is stale`;
    case "delete-tree":
      kvDeleteTree(tx, key);
      return [];
    case "get":
      return entry === undefined ? `key ${quote(key)} doesn't exist` : [shown(entry, entry.Value)];
    case "get-or-empty":
      if (entry !== undefined) return [shown(entry, entry.Value)];
      return [{ KV: { LockIndex: 0, Key: key, Flags: flags, Value: null, CreateIndex: 0, ModifyIndex: 0 } }];
    case "get-tree": {
      const results: TxnResult[] = [];
      tx.tables.kv.entries.visit(key, prefixEnd(key), (found) => {
        results.push(shown(found, found.Value));
      });
      return results;
    }
    case "check-index":
      if (entry === undefined) return `failed to check index, key ${quote(key)} doesn't exist`;
      if (entry.ModifyIndex === index) return [shown(entry, null)];
      return `failed index check for key ${quote(key)}, current modify index ${entry.ModifyIndex} != ${index}`;
    case "check-session": {
      if (entry === undefined) return `failed to check session, key ${quote(key)} doesn't exist`;
      const held = entry.Session ?? "";
      if (held === session) return [shown(entry, null)];
      return `failed session check for key ${quote(key)}, current session ${quote(held)} != ${quote(session)}`;
    }
    case "check-not-exists":
      return entry === undefined ? [] : `key ${quote(key)} exists`;
    default:
      return `unknown KV operation: ${String(operation.verb)}`;
  }
}

/** The result of a catalog write: false means that its index is stale. */
function done(outcome: boolean | Refusal | null, stale: string, result: () => TxnResult): Outcome {
  if (outcome === false) return stale;
  return typeof outcome === "object" && outcome !== null ? outcome.message : [result()];
}

function runNode(tx: Transaction, operation: Operation<"node">): Outcome {
  const { node, index } = operation;
  const get = () => (node.ID === "" ? tx.tables.nodes.get(node.Node) : tx.tables.nodes.byId(node.ID));
  const result = (): TxnResult => ({ Node: get()! });
  switch (operation.verb) {
    case "get":
      return get() === undefined ? `node ${quote(node.Node)} doesn't exist` : [result()];
    case "set":
      return done(ensureNode(tx, node), "", result);
    case "cas":
      return done(nodeCas(tx, node, index), `failed to set node ${quote(node.Node)}, index is stale`, result);
    case "delete":
      nodeDelete(tx, node.Node);
      return [];
    case "delete-cas":
      if (tx.tables.nodes.get(node.Node)?.ModifyIndex !== index) {
        return `failed to delete node ${quote(node.Node)}, index is stale`;
      }
      nodeDelete(tx, node.Node);
      return [];
    default:
      return `unknown node operation: ${String(operation.verb)}`;
  }
}

function runService(tx: Transaction, operation: Operation<"service">): Outcome {
  const { index } = operation;
  const service =
    operation.service.ID === "" ? { ...operation.service, ID: operation.service.Service } : operation.service;
  const name = `service ${quote(service.ID)} on node ${quote(service.Node)}`;
  const get = () => tx.tables.services.get(service.Node, service.ID);
  const result = (): TxnResult => ({ Service: get()! });
  switch (operation.verb) {
    case "get":
      return get() === undefined ? `${name} doesn't exist` : [result()];
    case "set":
      return done(ensureService(tx, service), "", result);
    case "cas":
      return done(serviceCas(tx, service, index), `failed to set ${name}, index is stale`, result);
    case "delete":
      serviceDelete(tx, service.Node, service.ID);
      return [];
    case "delete-cas":
      if (get()?.ModifyIndex !== index) return `failed to delete ${name}, index is stale`;
      serviceDelete(tx, service.Node, service.ID);
      return [];
    default:
      return `unknown service operation: ${String(operation.verb)}`;
  }
}

function runCheck(tx: Transaction, operation: Operation<"check">): Outcome {
  const { index } = operation;
  const check =
    operation.check.CheckID === "" ? { ...operation.check, CheckID: operation.check.Name } : operation.check;
  const name = `check ${quote(check.CheckID)} on node ${quote(check.Node)}`;
  const get = () => tx.tables.checks.get(check.Node, check.CheckID);
  const result = (): TxnResult => ({ Check: get()! });
  switch (operation.verb) {
    case "get":
      return get() === undefined ? `${name} doesn't exist` : [result()];
    case "set":
      return done(ensureCheck(tx, check), "", result);
    case "cas":
      return done(checkCas(tx, check, index), `failed to set ${name}, index is stale`, result);
    case "delete":
      checkDelete(tx, check.Node, check.CheckID);
      return [];
    case "delete-cas":
      if (get()?.ModifyIndex !== index) return `failed to delete ${name}, index is stale`;
      checkDelete(tx, check.Node, check.CheckID);
      return [];
    default:
      return `unknown check operation: ${String(operation.verb)}`;
  }
}
