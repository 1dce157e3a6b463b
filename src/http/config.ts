// /v1/config: https://developer.hashicorp.com/consul/api-docs/config.
import {
  configEntryDelete,
  configEntryGet,
  configEntryList,
  configEntrySet,
  configEntryShape,
  readConfigEntry,
  requireKind,
} from "../endpoint/config-entry.ts";
import { OperationalError } from "../types/error.ts";
import type { ConfigEntry, Uint64 } from "../types/records.ts";
import { quote } from "../util/quote.ts";
import { stringifyJson } from "../util/json.ts";
import type { Context } from "./context.ts";
import { type Encoding, jsonEncoding } from "./json-encoding.ts";
import { parseUint64 } from "./query-values.ts";
import { boolReply, jsonReply, type Reply, textReply } from "./reply.ts";
import { READ_PARAMS, type RouteRow } from "./route-table.ts";

export const configRoutes: readonly RouteRow[] = [
  {
    method: "PUT",
    path: "/v1/config",
    params: ["cas"],
    permission: ["mesh:write", "operator:write", "service:write"],
    summary: "Creates or replaces a configuration entry",
    handle: apply,
  },
  {
    method: "GET",
    path: "/v1/config/*",
    tail: "entry",
    params: ["filter", ...READ_PARAMS],
    permission: ["mesh:read", "operator:read", "service:read"],
    summary: "Reads the configuration entry kind/name, or lists those of a kind",
    handle: get,
  },
  {
    method: "DELETE",
    path: "/v1/config/*",
    tail: "entry",
    params: ["cas"],
    permission: ["mesh:write", "operator:write", "service:write"],
    summary: "Deletes the configuration entry kind/name",
    handle: remove,
  },
];

async function apply(c: Context): Promise<Reply> {
  const entry = await c.json(readConfigEntry, "Request decoding failed");
  return boolReply(await c.command(configEntrySet, { entry, cas: casOf(c) }));
}

/** Null without `?cas`, which counts as absent when it is empty. */
function casOf(c: Context): Uint64 | null {
  const cas = c.query.get("cas");
  return cas === null || cas === "" ? null : parseUint64(cas);
}

/** Kind and name, parted at the first slash; name null when there is no slash. */
function parts(tail: string): { kind: string; name: string | null } {
  const slash = tail.indexOf("/");
  return slash < 0 ? { kind: tail, name: null } : { kind: tail.slice(0, slash), name: tail.slice(slash + 1) };
}

function get(c: Context): Reply | Promise<Reply> {
  const { kind, name } = parts(c.tail);
  // Refused before it is a read: this answer has none of a read's headers.
  if (kind !== "" || name !== null) requireKind(kind);
  if (name !== null) return c.read(configEntryGet, { kind, name }, one(kind, name, c.pretty));
  return c.read(configEntryList, { kind, filter: c.query.get("filter") ?? "" }, all(c.pretty));
}

async function remove(c: Context): Promise<Reply> {
  const { kind, name } = parts(c.tail);
  if (name === null) throw new OperationalError("not-found", "Must provide both a kind and name to delete");
  try {
    requireKind(kind);
  } catch (error) {
    throw new OperationalError("invalid-request", (error as Error).message);
  }
  const cas = casOf(c);
  const deleted = await c.command(configEntryDelete, { kind, name, cas });
  return cas === null ? c.reply({}) : boolReply(deleted);
}

const one = (kind: string, name: string, pretty: boolean): Encoding<ConfigEntry | null> => ({
  form: `entry:${pretty}`,
  encode: (entry, headers) =>
    entry === null
      ? textReply(404, `Config entry not found for ${quote(kind)} / ${quote(name)}`, headers)
      : jsonReply(stringifyJson(configEntryShape(entry), pretty), headers),
});

const all = jsonEncoding<readonly ConfigEntry[]>("entries", (list, pretty) =>
  stringifyJson(list.map(configEntryShape), pretty),
);
