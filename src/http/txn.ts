// /v1/txn: https://developer.hashicorp.com/consul/api-docs/txn.
import { kvKeyProblem } from "../endpoint/kv.ts";
import { txnApply, txnFaults, txnIsRead, txnRead, txnResultShape } from "../endpoint/txn.ts";
import type { TxnKVVerb, TxnCatalogVerb, TxnOperation, TxnOutcome } from "../state/command.ts";
import { OperationalError } from "../types/error.ts";
import { bytes, list, nullable, object, string, uint64 } from "../util/decode.ts";
import { stringifyJson } from "../util/json.ts";
import { checkBody, nodeBody, nodeOf, serviceBody, serviceOf, checkOf } from "./catalog-body.ts";
import type { Context } from "./context.ts";
import { jsonReply, type Reply, reply } from "./reply.ts";
import type { RouteRow } from "./route-table.ts";

export const txnRoutes: readonly RouteRow[] = [
  {
    method: "PUT",
    path: "/v1/txn",
    params: ["stale", "consistent"],
    permission: ["key:write", "node:write", "service:write"],
    summary: "Runs up to 128 operations, all or none",
    handle: run,
  },
];

const OPERATIONS_MAX = 128;
/** JSON takes a third more for base64, and then some for names. */
const BODY_FACTOR = 2;

const operationBody = object({
  KV: nullable(
    object({
      Verb: string,
      Key: string,
      Value: bytes,
      Flags: uint64,
      Index: uint64,
      Session: string,
      Namespace: string,
      Partition: string,
    }),
  ),
  Node: nullable(object({ Verb: string, Node: nodeBody })),
  Service: nullable(object({ Verb: string, Node: string, Service: serviceBody })),
  Check: nullable(object({ Verb: string, Check: checkBody })),
});
const body = list(operationBody);

async function run(c: Context): Promise<Reply> {
  const { kvMaxValueBytes, txnMaxRequestBytes } = c.agent.config;
  const max = Math.max(kvMaxValueBytes, txnMaxRequestBytes);
  const decoded = await c.json(body, "Failed to parse body", max * BODY_FACTOR);
  if (decoded.length > OPERATIONS_MAX)
    throw new OperationalError(
      "payload-too-large",
      `Transaction contains too many operations (${decoded.length} > ${OPERATIONS_MAX})`,
    );
  const operations = decoded.map((operation) => operationOf(operation, kvMaxValueBytes));
  if (!txnIsRead(operations)) return outcomeReply(c, await c.command(txnApply, operations));
  const Errors = txnFaults(operations);
  if (Errors.length > 0) return readReply(c, { Results: null, Errors }, UNREAD);
  const answer = await c.agent.route.query(txnRead, operations, c.queryOptions(), c.datacenter);
  return readReply(c, answer.shared.read.value, {
    Index: 1,
    KnownLeader: answer.knownLeader,
    LastContact: Math.round(answer.lastContactMs),
  });
}

function operationOf(operation: ReturnType<typeof operationBody>, valueBytesMax: number): TxnOperation {
  const { KV, Node, Service, Check } = operation;
  if (KV !== null) {
    const problem = KV.Key === "" ? "empty key name is not allowed" : kvKeyProblem(KV.Key);
    if (problem !== null) throw new OperationalError("invalid-request", `Invalid key in transaction: ${problem}`);
    if (KV.Value.length > valueBytesMax)
      throw new OperationalError(
        "payload-too-large",
        `Value for key ${JSON.stringify(KV.Key)} is too large (${KV.Value.length} > ${valueBytesMax} bytes)`,
      );
    return {
      kind: "kv",
      verb: KV.Verb as TxnKVVerb,
      key: KV.Key,
      value: KV.Value,
      flags: KV.Flags,
      index: KV.Index,
      session: KV.Session,
    };
  }
  if (Node !== null)
    return { kind: "node", verb: Node.Verb as TxnCatalogVerb, node: nodeOf(Node.Node), index: Node.Node.ModifyIndex };
  if (Service !== null)
    return {
      kind: "service",
      verb: Service.Verb as TxnCatalogVerb,
      service: serviceOf(Service.Service, Service.Node),
      index: Service.Service.ModifyIndex,
    };
  if (Check !== null)
    return {
      kind: "check",
      verb: Check.Verb as TxnCatalogVerb,
      check: checkOf(Check.Check, Check.Check.Node),
      index: Check.Check.ModifyIndex,
    };
  throw new OperationalError(
    "invalid-request",
    "Failed to parse body: an operation has none of KV, Node, Service and Check",
  );
}

interface ReadMeta {
  Index: number;
  KnownLeader: boolean;
  LastContact: number;
}
/** What a transaction says that was refused before anybody was asked. */
const UNREAD: ReadMeta = { Index: 0, KnownLeader: false, LastContact: 0 };

/** A read-only transaction also says how it was read, in headers and, as Consul does, in its body. */
function readReply(c: Context, outcome: TxnOutcome, meta: ReadMeta): Reply {
  const headers = ["X-Consul-Knownleader", String(meta.KnownLeader), "X-Consul-Lastcontact", String(meta.LastContact)];
  const more = { ...meta, ConsistencyLevel: "", NotModified: false, Backend: 0, ResultsFilteredByACLs: false };
  return outcomeReply(c, outcome, more, headers);
}

function outcomeReply(
  c: Context,
  { Results, Errors }: TxnOutcome,
  more: object = {},
  headers: readonly string[] = [],
): Reply {
  const text = stringifyJson({ Results: Results?.map(txnResultShape) ?? null, Errors, ...more }, c.pretty);
  if (Errors === null) return jsonReply(text, headers);
  return reply(409, ["Content-Type", "application/json; charset=utf-8", ...headers], text);
}
