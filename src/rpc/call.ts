// A query or a command on its way to the leader: the endpoint's name, its arguments and how to read, as encoded values
// (codec/value.ts); and the answer on its way back. Who is called answers by itself or refuses: it never sends a call on.
import { decode, encode } from "../codec/value.ts";
import type { CommandEndpoint, QueryEndpoint } from "../endpoint/endpoint.ts";
import { endpoints, valueForm } from "../endpoint/registry.ts";
import { OperationalError } from "../types/error.ts";
import type { Answer, Authority, QueryOptions } from "./authority.ts";
import type { Peer, PeerClient } from "./peer-door.ts";

/** The path of forwarded queries and commands. */
export const CALL_PATH = "/rpc/1/call";

/** How long an answer may take beyond what the asker is willing to wait. */
const PATIENCE_MS = 10_000;
/** A blocking query is put off by up to a sixteenth. */
const JITTER_SHARE = 1 / 16;

interface Call {
  name: string;
  args: unknown;
  /** Of a query. */
  options?: Pick<QueryOptions, "consistency" | "index" | "waitMs">;
  /** Of a query: the caller's own store lags behind, so only the leader's will do. */
  atLeader?: boolean;
}

interface Reply {
  value: unknown;
  /** Of a query. */
  index?: number;
  knownLeader?: boolean;
  lastContactMs?: number;
}

/**
 * Asks another server.
 * @param atLeader only a leader may answer. @throws as `PeerClient.call`.
 */
export async function callQuery<A, R>(
  client: PeerClient,
  peer: Peer,
  endpoint: QueryEndpoint<A, R>,
  args: A,
  options: QueryOptions,
  atLeader = false,
): Promise<Answer<R>> {
  const { consistency, index, waitMs } = options;
  const call: Call = { name: endpoint.name, args, options: { consistency, index, waitMs }, atLeader };
  const timeoutMs = PATIENCE_MS + (index === 0 ? 0 : waitMs * (1 + JITTER_SHARE));
  const reply = decode(await client.call(peer, CALL_PATH, encode(call), timeoutMs)) as Reply;
  const read = {
    value: valueForm(endpoint.name).unpack(reply.value) as R,
    index: reply.index as number,
    topics: [],
  };
  return {
    // Nobody here is told when it changes.
    shared: { read, fresh: false, encodings: new Map() },
    index: read.index,
    knownLeader: reply.knownLeader === true,
    lastContactMs: reply.lastContactMs ?? 0,
  };
}

/** Has another server carry out a command. @throws as `PeerClient.call`. */
export async function callCommand<A, R>(
  client: PeerClient,
  peer: Peer,
  endpoint: CommandEndpoint<A, R>,
  args: A,
): Promise<R> {
  const call: Call = { name: endpoint.name, args };
  const reply = decode(await client.call(peer, CALL_PATH, encode(call), COMMAND_TIMEOUT_MS)) as Reply;
  return valueForm(endpoint.name).unpack(reply.value) as R;
}
/** A leader that cannot commit says so long before. */
const COMMAND_TIMEOUT_MS = 15_000;

/** Answers a call with what `authority` says. @throws OperationalError what went wrong, `not-leader` among it. */
export async function answerCall(authority: Authority, bytes: Uint8Array): Promise<Uint8Array> {
  const { name, args, options, atLeader } = decode(bytes) as Call;
  const endpoint = endpoints.get(name);
  if (endpoint === undefined) throw new OperationalError("unsupported", `servers of this version know no ${name}`);
  const { pack } = valueForm(name);
  if (endpoint.kind === "command") return encode({ value: pack(await authority.command(endpoint, args as never)) });
  if (atLeader === true && !authority.leading) throw new OperationalError("not-leader", "node is not the leader");
  if (options === undefined) throw new OperationalError("invalid-request", `${name} was called without options`);
  const { shared, index, knownLeader, lastContactMs } = await authority.query(endpoint, args as never, options);
  return encode({ value: pack(shared.read.value), index, knownLeader, lastContactMs });
}
