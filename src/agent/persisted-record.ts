// The records in the agent's blobs: how a registered service or check is written down and read again. What does not decode
// is damaged; fields that are missing are empty, so that a later build may add some.
import { sha256 } from "@noble/hashes/sha2.js";
import type { CheckKind, CheckSpec } from "../check/spec.ts";
import type { HealthCheck, NodeService } from "../types/records.ts";
import {
  bool,
  decode,
  DecodeError,
  type Decoder,
  float,
  int,
  list,
  map,
  mapped,
  nullable,
  object,
  raw,
  string,
} from "../util/decode.ts";
import { hex, text, utf8 } from "../util/bytes.ts";
import { parseJson, stringifyJson } from "../util/json.ts";
import type { LocalCheck, LocalService } from "./local-state.ts";

/** A service of the API: without what the agent fills in. */
export interface PersistedService {
  Token: string;
  /** Registered by the service beside which it stands. */
  Sidecar: boolean;
  Service: Omit<NodeService, "Node" | "PeerName" | "CreateIndex" | "ModifyIndex">;
}

/** A check of the API, or the mark of a maintenance mode: then `Spec` is null. */
export interface PersistedCheck {
  Token: string;
  Check: Pick<HealthCheck, "CheckID" | "Name" | "Notes" | "ServiceID" | "Interval" | "Timeout">;
  Spec: CheckSpec | null;
}

/** What a check of a kind showed. `Expires` is in seconds since the epoch; 0 is never. */
export interface PersistedState {
  CheckID: string;
  Kind: string;
  Status: string;
  Output: string;
  Expires: number;
}

const timing = {
  intervalMs: float,
  timeoutMs: float,
  successBeforePassing: int,
  failuresBeforeWarning: int,
  failuresBeforeCritical: int,
  deregisterCriticalServiceAfterMs: float,
  outputBytesMax: int,
};

/** What is particular to each kind; the keys are exactly the kinds. */
const targets: { readonly [K in CheckKind]: Decoder<object> } = {
  ttl: object({ ttlMs: float }),
  http: object({
    url: string,
    method: string,
    headers: map(list(string)),
    body: string,
    disableRedirects: bool,
    tlsServerName: string,
    tlsSkipVerify: bool,
  }),
  tcp: object({ address: string, useTls: bool }),
  alias: object({ node: string, serviceId: string }),
  script: object({ args: list(string) }),
  grpc: object({ target: string }),
  udp: object({ target: string }),
  h2ping: object({ target: string }),
  docker: object({ target: string }),
  os_service: object({ target: string }),
};

const timingFields = object(timing);
const kindField = object({ kind: string });

const spec: Decoder<CheckSpec> = (value, path) => {
  const { kind } = kindField(value, path);
  if (!Object.hasOwn(targets, kind)) throw new DecodeError(`unknown kind of check ${JSON.stringify(kind)}`);
  const target = targets[kind as CheckKind](value, path);
  return { ...timingFields(value, path), kind, ...target } as CheckSpec;
};

const serviceFields = object({
  Kind: string,
  ID: string,
  Service: string,
  Tags: list(string),
  Address: string,
  TaggedAddresses: nullable(map(object({ Address: string, Port: int }))),
  Meta: nullable(map(string)),
  Port: int,
  Ports: nullable(list(object({ Name: string, Port: int, Default: bool }))),
  SocketPath: string,
  Weights: object({ Passing: int, Warning: int }),
  EnableTagOverride: bool,
  Proxy: map(raw),
  Connect: map(raw),
  Locality: nullable(map(string)),
});

/** Reads the record of a service. */
export const persistedService: Decoder<PersistedService> = object({
  Token: string,
  Sidecar: bool,
  Service: named(serviceFields, "ID"),
});

const checkFields = object({
  CheckID: string,
  Name: string,
  Notes: string,
  ServiceID: string,
  Interval: string,
  Timeout: string,
});

/** Reads the record of a check. */
export const persistedCheck: Decoder<PersistedCheck> = object({
  Token: string,
  Check: named(checkFields, "CheckID"),
  Spec: nullable(spec),
});

/** Reads the record of what a check showed. */
export const persistedState: Decoder<PersistedState> = object({
  CheckID: string,
  Kind: string,
  Status: string,
  Output: string,
  Expires: int,
});

/** Refuses a record without an id. */
function named<T extends Record<K, string>, K extends string>(decoder: Decoder<T>, id: K): Decoder<T> {
  return mapped(decoder, (record) => {
    if (record[id] === "") throw new DecodeError(`${id} is missing`);
    return record;
  });
}

/** Writes the record of a service. */
export function encodeService({ service, token, isSidecar }: LocalService): Uint8Array {
  const { Node: _node, PeerName: _peer, CreateIndex: _created, ModifyIndex: _modified, ...Service } = service;
  return seal({ Token: token, Sidecar: isSidecar, Service } satisfies PersistedService);
}

/** Writes the record of a check. */
export function encodeCheck({ check, declared, token }: LocalCheck): Uint8Array {
  const { CheckID, Name, Notes, ServiceID, Interval, Timeout } = check;
  const Check = { CheckID, Name, Notes, ServiceID, Interval, Timeout };
  return seal({ Token: token, Check, Spec: declared } satisfies PersistedCheck);
}

/** Writes the record of what a check showed. */
export function encodeState(state: PersistedState): Uint8Array {
  return seal(state);
}

/** The JSON of a record, and its SHA-256 on a line of its own. */
function seal(record: object): Uint8Array {
  const line = `${stringifyJson(record)}\n`;
  return utf8(`${line}sha256:${hex(sha256(utf8(line)))}\n`);
}

/** Reads a record back. @throws Error when a byte of it is not what it was, or it is no such record. */
export function decodeRecord<T>(decoder: Decoder<T>, bytes: Uint8Array): T {
  const all = text(bytes);
  const at = all.lastIndexOf("sha256:");
  if (at < 0 || all.slice(at) !== `sha256:${hex(sha256(utf8(all.slice(0, at))))}\n`) {
    throw new Error("its checksum does not fit: it is damaged");
  }
  return decode(decoder, parseJson(all.slice(0, at)));
}
