// A query or a command on its way to another server: the endpoint's name, its arguments and how to read, as encoded values
// (codec/value.ts); and the answer on its way back. A server calls the leader, which answers by itself or refuses and never
// sends a call on; a client calls any server, which does with it what it does with a request of its own, and so does a server
// of another datacenter.
import { decode, encode } from "../codec/value.ts";
import type { CommandEndpoint, QueryEndpoint } from "../endpoint/endpoint.ts";
import { endpoints, valueForm } from "../endpoint/registry.ts";
import { OperationalError } from "../types/error.ts";
import { assert } from "../util/assert.ts";
import type { Answer, QueryOptions } from "./authority.ts";
import { readable } from "./envelope.ts";
import type { Peer, PeerClient } from "./peer-door.ts";
import { isRequestId, type RequestId, type RequestOutcomes } from "./request-ids.ts";

/** The path of queries and commands for the leader. */
export const CALL_PATH = "/rpc/1/call";
/** The path of queries and commands that a client agent, or a server of another datacenter, sends on to a server. */
export const FORWARD_PATH = "/rpc/1/forward";

/** How long an answer may take beyond what the asker is willing to wait, and beyond what a server may hold it. */
const PATIENCE_MS = 10_000;
/** A blocking query is put off by up to a sixteenth. */
const JITTER_SHARE = 1 / 16;

/** The path that a server answers at once, with nothing. */
export const PING_PATH = "/rpc/1/ping";

/** Where a call goes. */
export interface CallTarget {
  readonly client: PeerClient;
  readonly peer: Peer;
  readonly path: typeof CALL_PATH | typeof FORWARD_PATH;
  /** How long the other side may hold it for want of a leader. */
  readonly holdMs: number;
  /** Whose servers are to answer; absent: those of the server that is called. */
  readonly datacenter?: string;
  /** How often it has been sent on. */
  readonly hops?: number;
}

/** Where a call that came in is to be answered. */
export interface Destination {
  /** "" for the datacenter of who got the call. */
  readonly datacenter: string;
  /** How often it has been sent on. */
  readonly hops: number;
}

interface Call {
  name: string;
  args: unknown;
  datacenter?: string;
  hops?: number;
  /** Of a command that only asks: whoever gets the call answers. */
  local?: boolean;
  /** Of any other command. */
  id?: RequestId;
  /** Of a query. */
  options?: Pick<QueryOptions, "consistency" | "index" | "waitMs">;
}

interface Reply {
  value: unknown;
  /** Of a query. */
  index?: number;
  knownLeader?: boolean;
  lastContactMs?: number;
  replaced?: boolean;
}

/** Asks another server. @throws as `PeerClient.call`. */
export async function callQuery<A, R>(
  target: CallTarget,
  endpoint: QueryEndpoint<A, R>,
  args: A,
  options: QueryOptions,
): Promise<Answer<R>> {
  const { client, peer, path, holdMs } = target;
  const { consistency, index, waitMs } = options;
  const call: Call = { name: endpoint.name, args, options: { consistency, index, waitMs }, ...destination(target) };
  const timeoutMs = PATIENCE_MS + holdMs + (index === 0 ? 0 : waitMs * (1 + JITTER_SHARE));
  const bytes = await client.call(peer, path, encode(call), timeoutMs);
  const reply = readable(() => unpacked(endpoint.name, bytes, true));
  const read = { value: reply.value as R, index: reply.index as number, topics: [] };
  return {
    // Nobody here is told when it changes.
    shared: { read, fresh: false, encodings: new Map(), replaced: reply.replaced === true },
    index: read.index,
    knownLeader: reply.knownLeader === true,
    lastContactMs: reply.lastContactMs ?? 0,
  };
}

/** Has another server carry out a command. @throws as `PeerClient.call`. */
export async function callCommand<A, R>(
  target: CallTarget,
  endpoint: CommandEndpoint<A, R>,
  args: A,
  isLocal = false,
): Promise<R> {
  const { client, peer, path, holdMs } = target;
  const call: Call = isLocal
    ? { name: endpoint.name, args, local: true, ...destination(target) }
    : { name: endpoint.name, args, id: client.requestIds.next(), ...destination(target) };
  const bytes = await client.call(peer, path, encode(call), COMMAND_TIMEOUT_MS + holdMs);
  return readable(() => unpacked(endpoint.name, bytes, false).value as R);
}

const destination = ({ datacenter, hops = 0 }: CallTarget): Partial<Destination> =>
  datacenter === undefined ? {} : { datacenter, hops };

/** A reply with its value as the endpoint gave it. Throws for what is none. */
function unpacked(name: string, bytes: Uint8Array, isQuery: boolean): Reply {
  const reply = decode(bytes) as Reply;
  assert(!isQuery || Number.isSafeInteger(reply.index), "the answer to a query has an index");
  return { ...reply, value: valueForm(name).unpack(reply.value) };
}
/** A leader that cannot commit says so long before. */
const COMMAND_TIMEOUT_MS = 15_000;

/** Who answers calls: a server as its leader, which heeds no destination, or its door of requests. */
export interface Answerer {
  query<A, R>(
    endpoint: QueryEndpoint<A, R>,
    args: A,
    options: QueryOptions,
    to: Destination,
  ): Answer<R> | Promise<Answer<R>>;
  command<A, R>(endpoint: CommandEndpoint<A, R>, args: A, to: Destination): R | Promise<R>;
  local<A, R>(endpoint: CommandEndpoint<A, R>, args: A, to: Destination): R | Promise<R>;
}

/**
 * Answers a call with what `answerer` says; a command that came before gets the answer it got then.
 * @throws OperationalError what went wrong, `not-leader` among it.
 */
export async function answerCall(
  answerer: Answerer,
  outcomes: RequestOutcomes,
  bytes: Uint8Array,
): Promise<Uint8Array> {
  const { name, args, id, options, local, datacenter = "", hops = 0 } = readCall(decode(bytes));
  const to: Destination = { datacenter, hops };
  const endpoint = endpoints.get(name);
  if (endpoint === undefined) throw new OperationalError("unsupported", `servers of this version know no ${name}`);
  const { pack } = valueForm(name);
  if (endpoint.kind === "command") {
    if (local === true) return encode({ value: pack(await answerer.local(endpoint, args as never, to)) });
    if (!isRequestId(id)) throw new OperationalError("invalid-request", `${name} was called without an id`);
    return encode({ value: pack(await outcomes.once(id, () => answerer.command(endpoint, args as never, to))) });
  }
  if (options === undefined) throw new OperationalError("invalid-request", `${name} was called without options`);
  const { shared, index, knownLeader, lastContactMs } = await answerer.query(endpoint, args as never, options, to);
  const reply: Reply = { value: pack(shared.read.value), index, knownLeader, lastContactMs };
  if (shared.replaced === true) reply.replaced = true;
  return encode(reply);
}

/** @throws OperationalError `invalid-request` for what no agent sends. Arguments are the endpoint's business. */
function readCall(value: unknown): Call {
  const call = (typeof value === "object" && value !== null ? value : {}) as Partial<Call>;
  const { name, options, datacenter = "", hops = 0 } = call;
  const isDestined = typeof datacenter === "string" && Number.isSafeInteger(hops) && hops >= 0;
  if (typeof name === "string" && isDestined && (options === undefined || isOptions(options))) return call as Call;
  throw new OperationalError("invalid-request", "a call between agents is malformed");
}

function isOptions(options: unknown): boolean {
  if (typeof options !== "object" || options === null) return false;
  const { consistency, index, waitMs } = options as Record<string, unknown>;
  if (consistency !== "default" && consistency !== "stale" && consistency !== "consistent") return false;
  return Number.isSafeInteger(index) && (index as number) >= 0 && Number.isFinite(waitMs) && (waitMs as number) >= 0;
}
