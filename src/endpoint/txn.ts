// Transactions: https://developer.hashicorp.com/consul/api-docs/txn. All operations happen, or none.
import type { TxnError, TxnOperation, TxnOutcome, TxnResult } from "../state/command.ts";
import { OperationalError } from "../types/error.ts";
import { checkNode, checkService } from "./catalog.ts";
import type { CommandEndpoint, PrepareContext, Prepared, QueryEndpoint } from "./endpoint.ts";
import { copyProblem, lockSeen } from "./kv.ts";
import { nodeServiceShape } from "./shape.ts";

const KV_READS: ReadonlySet<string> = new Set([
  "get",
  "get-or-empty",
  "get-tree",
  "check-index",
  "check-session",
  "check-not-exists",
]);

const KV_WRITES: ReadonlySet<string> = new Set(["set", "cas", "lock", "unlock", "delete", "delete-cas", "delete-tree"]);

/** True when nothing in it can write: it is then answered like any read. */
export const txnIsRead = (operations: readonly TxnOperation[]): boolean =>
  operations.every((operation) =>
    operation.kind === "kv" ? !KV_WRITES.has(operation.verb) : operation.verb === "get",
  );

/** What is wrong with the operations before anybody looks at the store; empty when nothing is. */
export function txnFaults(operations: readonly TxnOperation[]): TxnError[] {
  const faults: TxnError[] = [];
  for (const [at, operation] of operations.entries()) {
    const fault = faultOf(operation);
    if (fault !== null) faults.push({ OpIndex: at, What: fault });
  }
  return faults;
}

function faultOf(operation: TxnOperation): string | null {
  try {
    if (operation.kind === "node") checkNode(operation.node.Node, operation.node.ID);
    else if (operation.kind === "service") {
      const { ID, Service, Address } = operation.service;
      checkService(ID, Service, Address);
    } else if (operation.kind === "kv" && !KV_READS.has(operation.verb) && !KV_WRITES.has(operation.verb))
      return `unknown KV operation: ${String(operation.verb)}`;
    return null;
  } catch (error) {
    if (error instanceof OperationalError) return error.message;
    throw error;
  }
}

/** A transaction that may write. Its outcome says what happened, or why nothing did. */
export const txnApply: CommandEndpoint<TxnOperation[], TxnOutcome> = {
  kind: "command",
  name: "txn.apply",
  prepare(context, operations): Prepared<TxnOutcome> {
    const faults = txnFaults(operations);
    for (const [at, operation] of operations.entries()) {
      if (operation.kind !== "kv" || !KV_WRITES.has(operation.verb)) continue;
      const What = copyProblem(context.state, operation.key, operation.verb === "delete-tree");
      if (What !== null) faults.push({ OpIndex: at, What });
    }
    for (const [at, operation] of operations.entries())
      if (operation.kind === "kv" && operation.verb === "lock" && context.lockDelayed(operation.key))
        faults.push({ OpIndex: at, What: `failed to lock key ${JSON.stringify(operation.key)} due to lock delay` });
    if (faults.length > 0) return { answer: { Results: null, Errors: faults } };
    return {
      command: { type: "txn", operations: looked(context, operations) },
      reply: (result) =>
        result.ok
          ? (result.value as TxnOutcome)
          : { Results: null, Errors: [{ OpIndex: 0, What: result.error.message }] },
    };
  },
};

/** The operations as they go into the log, with what the leader sees of the locks that they take. */
function looked({ state, datacenter }: PrepareContext, operations: readonly TxnOperation[]): TxnOperation[] {
  const taken = new Set<string>();
  return operations.map((operation) => {
    // A second one in the same transaction finds what the first has done.
    if (operation.kind !== "kv" || operation.verb !== "lock" || taken.has(operation.key))
      return placed(operation, datacenter);
    taken.add(operation.key);
    return { ...operation, seen: lockSeen(state, operation.key, operation.session) };
  });
}

/** Nodes are of the datacenter that stores them, whatever was sent. */
const placed = (operation: TxnOperation, datacenter: string): TxnOperation =>
  operation.kind === "node" ? { ...operation, node: { ...operation.node, Datacenter: datacenter } } : operation;

/** A transaction of reads and checks only, outside the log. */
export const txnRead: QueryEndpoint<TxnOperation[], TxnOutcome> = {
  kind: "query",
  name: "txn.read",
  run: (state, operations) => ({ value: state.txnRead(operations), index: 1, topics: [] }),
  key: () => null,
};

/** A result as the API shows it: what was never given is null rather than empty. */
export function txnResultShape(result: TxnResult): Record<string, unknown> {
  if ("Service" in result)
    return { Service: { ...nodeServiceShape(result.Service), Tags: listed(result.Service.Tags) } };
  if ("Check" in result) return { Check: { ...result.Check, ServiceTags: listed(result.Check.ServiceTags) } };
  if ("KV" in result && result.KV.Value?.length === 0) return { KV: { ...result.KV, Value: null } };
  return result;
}

const listed = (list: readonly string[]): readonly string[] | null => (list.length === 0 ? null : list);
