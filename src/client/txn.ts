// Transactions, all or nothing: https://developer.hashicorp.com/consul/api-docs/txn
import { parseJson, stringifyJson } from "./json.ts";
import type { WireKeyValue } from "./kv.ts";
import { decodeEntry } from "./kv.ts";
import type { ReadOptions, Transport } from "./transport.ts";
import type { TxnError, TxnOperation, TxnOutcome, TxnResult } from "./types.ts";

interface WireOutcome {
  Results?: (Omit<TxnResult, "KV"> & { KV?: WireKeyValue })[] | null;
  Errors?: TxnError[] | null;
}

/** Runs up to 128 operations as one. `consistency` counts only when all of them read. */
export type Txn = (operations: readonly TxnOperation[], options?: ReadOptions) => Promise<TxnOutcome>;

export function txnCall(transport: Transport): Txn {
  return async (operations, options) => {
    const body = stringifyJson(operations.map(encodeOperation));
    const response = await transport.send({ method: "PUT", path: "txn", options, body, outcomes: [409] });
    const { Results, Errors } = parseJson(await response.text()) as WireOutcome;
    const results = (Results ?? []).map(({ KV, ...rest }) => (KV === undefined ? rest : { KV: decodeEntry(KV) }));
    return { ok: response.ok, results, errors: Errors ?? [] };
  };
}

/** Bytes are written as base64, which is what the API wants. */
function encodeOperation(operation: TxnOperation): unknown {
  const { KV } = operation;
  return typeof KV?.Value === "string" ? { KV: { ...KV, Value: new TextEncoder().encode(KV.Value) } } : operation;
}
