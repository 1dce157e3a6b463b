// /v1/kv: https://developer.hashicorp.com/consul/api-docs/kv. Bad keys and numbers are 500 here, as Consul has it.
import {
  type KvDeleteArgs,
  kvDelete,
  kvGet,
  kvKeyProblem,
  kvKeys,
  kvList,
  type KvPutArgs,
  kvPut,
} from "../endpoint/kv.ts";
import { OperationalError } from "../types/error.ts";
import type { KVEntry } from "../types/records.ts";
import { encodeBase64 } from "../util/base64.ts";
import { stringifyJson } from "../util/json.ts";
import type { Context } from "./context.ts";
import { type Encoding, jsonEncoding } from "./json-encoding.ts";
import { parseUint64 } from "./query-values.ts";
import { boolReply, jsonReply, reply, type Reply, textReply } from "./reply.ts";
import { READ_PARAMS, type RouteRow } from "./route-table.ts";

export const kvRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/kv/*",
    tail: "key",
    params: ["recurse", "raw", "keys", "separator", ...READ_PARAMS],
    permission: ["key:read", "key:list"],
    summary: "Reads a key, or lists the entries or keys below a prefix",
    handle: getKey,
  },
  {
    method: "PUT",
    path: "/v1/kv/*",
    tail: "key",
    params: ["flags", "cas", "acquire", "release"],
    permission: "key:write",
    summary: "Writes a key, also conditionally or under a lock",
    handle: putKey,
  },
  {
    method: "DELETE",
    path: "/v1/kv/*",
    tail: "key",
    params: ["recurse", "cas"],
    permission: "key:write",
    summary: "Deletes a key or everything below a prefix",
    handle: deleteKey,
  },
];

function getKey(c: Context): Reply | Promise<Reply> {
  const { query, tail: key } = c;
  if (query.text !== "") {
    if (query.has("keys")) {
      const separator = query.get("separator") ?? query.get("seperator") ?? "";
      return c.read(kvKeys, { prefix: key, separator }, key === "" ? keysOfRoot(c.pretty) : keysBelow(c.pretty));
    }
    if (query.has("recurse")) return c.read(kvList, key, entries(c.pretty));
  }
  c.requireTail("Missing key name");
  checkKey(c, key);
  return c.read(kvGet, key, query.text !== "" && query.has("raw") ? RAW : entry(c.pretty));
}

async function putKey(c: Context): Promise<Reply> {
  const { query } = c;
  const key = c.requireTail("Missing key name");
  const warning = checkKey(c, key);
  const args: KvPutArgs = { key, value: NOTHING, flags: 0 };
  if (query.text !== "") {
    const conflict = conflicting(c, "cas", "acquire", "release");
    if (conflict !== null) return conflict;
    const flags = query.get("flags");
    if (flags !== null && flags !== "") args.flags = parseUint64(flags);
    const cas = query.get("cas");
    if (cas !== null) args.cas = parseUint64(cas);
    const acquire = query.get("acquire");
    if (acquire !== null) args.acquire = acquire;
    const release = query.get("release");
    if (release !== null) args.release = release;
  }
  args.value = await valueOf(c);
  const written = await c.command(kvPut, args);
  if (warning !== null) return jsonReply(String(written), ["X-Consul-Kv-Warning", warning]);
  return boolReply(written);
}

async function deleteKey(c: Context): Promise<Reply> {
  const { query } = c;
  const args: KvDeleteArgs = { key: c.tail, recurse: query.has("recurse") };
  if (!args.recurse) {
    c.requireTail("Missing key name");
    checkKey(c, c.tail);
  }
  const conflict = conflicting(c, "recurse", "cas");
  if (conflict !== null) return conflict;
  const cas = query.get("cas");
  if (cas !== null) args.cas = parseUint64(cas);
  return boolReply(await c.command(kvDelete, args));
}

const NOTHING = new Uint8Array(0);

async function valueOf(c: Context): Promise<Uint8Array> {
  const max = c.agent.config.kvMaxValueBytes;
  try {
    return await c.body(max);
  } catch (error) {
    if (!(error instanceof OperationalError) || error.code !== "payload-too-large") throw error;
    const declared = Number(c.request.header("content-length") ?? 0);
    throw new OperationalError(
      "payload-too-large",
      declared > max
        ? `Request body(${declared} bytes) too large, max size: ${max} bytes. See https://developer.hashicorp.com/docs/agent/config/config-files#kv_max_value_size.`
        : `Request body too large. Max allowed is ${max} bytes.`,
    );
  }
}

/** Null for a good key; the warning to send along when bad keys are allowed. @throws OperationalError otherwise. */
function checkKey(c: Context, key: string): string | null {
  const problem = kvKeyProblem(key);
  if (problem === null || c.agent.config.disableKvKeyValidation) return problem;
  throw new OperationalError("refused", problem);
}

function conflicting(c: Context, ...names: readonly string[]): Reply | null {
  if (names.filter((name) => c.query.has(name)).length <= 1) return null;
  return textReply(400, `Conflicting flags: ${c.query.encode()}\n`);
}

const MISSING = (headers: readonly string[]): Reply => reply(404, headers, null);

const RAW: Encoding<KVEntry | null> = {
  form: "raw",
  encode(value, headers) {
    if (value === null) return MISSING(headers);
    if (value.Value.length === 0)
      return reply(200, ["Content-Type", "application/json; charset=utf-8", ...headers], null);
    return reply(
      200,
      [
        "Content-Type",
        "text/plain; charset=utf-8",
        "X-Content-Type-Options",
        "nosniff",
        "Content-Security-Policy",
        "sandbox",
        ...headers,
      ],
      value.Value as Uint8Array<ArrayBuffer>,
    );
  },
};

const entry = jsonEncoding<KVEntry | null>(
  "entry",
  (value, pretty) => (pretty ? stringifyJson([shape(value as KVEntry)], true) : `[${entryJson(value as KVEntry)}]`),
  (value) => value === null,
);
const entries = jsonEncoding<readonly KVEntry[]>(
  "entries",
  (list, pretty) => (pretty ? stringifyJson(list.map(shape), true) : `[${list.map(entryJson).join(",")}]`),
  (list) => list.length === 0,
);
const keysBelow = jsonEncoding<readonly string[]>(
  "keys",
  (list, pretty) => stringifyJson(list, pretty),
  (list) => list.length === 0,
);
const keysOfRoot = jsonEncoding<readonly string[]>("keys-of-root", (list, pretty) => stringifyJson(list, pretty));

/** What Consul shows of an entry: an empty value is null, a session only when there is one. */
const shape = ({ LockIndex, Key, Flags, Value, Session, CreateIndex, ModifyIndex }: KVEntry): unknown => ({
  LockIndex,
  Key,
  Flags,
  Value: Value.length === 0 ? null : encodeBase64(Value),
  ...(Session === undefined ? {} : { Session }),
  CreateIndex,
  ModifyIndex,
});

/** The same as text: this is the hottest encoding there is, and numbers must stay exact beyond 2^53. */
function entryJson({ LockIndex, Key, Flags, Value, Session, CreateIndex, ModifyIndex }: KVEntry): string {
  const value = Value.length === 0 ? "null" : `"${encodeBase64(Value)}"`;
  const session = Session === undefined ? "" : `"Session":${stringifyJson(Session, false)},`;
  return `{"LockIndex":${LockIndex},"Key":${stringifyJson(Key, false)},"Flags":${Flags},"Value":${value},${session}"CreateIndex":${CreateIndex},"ModifyIndex":${ModifyIndex}}`;
}
