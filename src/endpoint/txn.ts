// Transactions: https://developer.hashicorp.com/consul/api-docs/txn. All operations happen, or none.
import type { TxnOperation, TxnOutcome } from "../state/command.ts";
import type { CommandEndpoint, Prepared, QueryEndpoint } from "./endpoint.ts";

const KV_READS: ReadonlySet<string> = new Set(["get", "get-or-empty", "get-tree", "check-index", "check-session", "check-not-exists"]);

/** True when nothing in it can write: it is then answered like any read. */
export const txnIsRead = (operations: readonly TxnOperation[]): boolean =>
  operations.every((operation) => (operation.kind === "kv" ? KV_READS.has(operation.verb) : operation.verb === "get"));

/** A transaction that may write. Its outcome says what happened, or why nothing did. */
export const txnApply: CommandEndpoint<TxnOperation[], TxnOutcome> = {
  kind: "command",
  name: "txn.apply",
  prepare(context, operations): Prepared<TxnOutcome> {
    for (const [at, operation] of operations.entries())
      if (operation.kind === "kv" && operation.verb === "lock" && context.lockDelayed(operation.key))
        return {
          answer: {
            Results: null,
            Errors: [{ OpIndex: at, What: `failed to lock key ${JSON.stringify(operation.key)} due to lock delay` }],
          },
        };
    return {
      command: { type: "txn", operations },
      reply: (result) =>
        result.ok
          ? (result.value as TxnOutcome)
          : { Results: null, Errors: [{ OpIndex: 0, What: result.error.message }] },
    };
  },
};

/** A transaction of reads and checks only, outside the log. */
export const txnRead: QueryEndpoint<TxnOperation[], TxnOutcome> = {
  kind: "query",
  name: "txn.read",
  run: (state, operations) => ({ value: state.txnRead(operations), index: 1, topics: [] }),
  key: () => null,
};
