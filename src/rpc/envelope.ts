// What every call between agents is wrapped in. A request names the protocol's version, the datacenter that it is for, who
// sends it, whom it is for and its path; a reply says whether it is an answer or an error. Who is addressed by mistake (another cluster at
// a known address, a server that was replaced by another) refuses, and says why.
//   request  'P' version · datacenter, from, address, to, path: each a byte of length and UTF-8 · body
//   reply    'P' version · 0 and the body, or 1 and an encoded { code, message, status }
import { decode, encode } from "../codec/value.ts";
import { type ErrorCode, OperationalError } from "../types/error.ts";
import { concat, isUtf8, text, utf8 } from "../util/bytes.ts";
import { allocate } from "../util/slab.ts";

/** Agents of another version refuse each other. */
const PROTOCOL_VERSION = 1;

/** A call, unwrapped. */
export interface Envelope {
  /** Of the agent that it is for. */
  datacenter: string;
  /** The sender's node id. */
  from: string;
  /** Where the sender takes calls itself, `host:port`; "" when it takes none. */
  address: string;
  /** The node id that it is for; "" for whoever is at the address. */
  to: string;
  path: string;
  body: Uint8Array;
}

const MAGIC = 0x50;
const HEADER_BYTES = 2;
const NAMES = 5;
const NAME_BYTES_MAX = 255;
const ANSWER = 0;
const ERROR = 1;

/** The bytes of a request without its body, which follows them: they are the same for every call to one peer and path. */
export function encodeRequestHead({ datacenter, from, address, to, path }: Omit<Envelope, "body">): Uint8Array {
  const names = [datacenter, from, address, to, path].map((name) => {
    const bytes = utf8(name);
    if (bytes.length > NAME_BYTES_MAX)
      throw new OperationalError("invalid-request", `longer than ${NAME_BYTES_MAX} bytes: ${name}`);
    return bytes;
  });
  return concat([
    Uint8Array.of(MAGIC, PROTOCOL_VERSION),
    ...names.flatMap((name) => [Uint8Array.of(name.length), name]),
  ]);
}

/** Names of a request as they came lately, by the hash of their bytes: the same few heads come again and again. */
const heads = new Map<number, { bytes: Uint8Array; names: readonly string[] }>();
const HEADS_MAX = 1024;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * The body is a view into `bytes`.
 * @throws OperationalError `unreachable` for what is no request: nothing was done, and nobody's request is at fault.
 */
export function decodeRequest(bytes: Uint8Array): Envelope {
  requireVersion(bytes, "unreachable");
  let end = HEADER_BYTES;
  for (let i = 0; i < NAMES; i += 1) end += 1 + (bytes[end] ?? 0);
  if (end > bytes.length) throw malformed();
  let hash = FNV_OFFSET;
  for (let at = HEADER_BYTES; at < end; at += 1) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
  let head = heads.get(hash);
  if (head === undefined || !isHead(head.bytes, bytes, end)) {
    head = { bytes: bytes.slice(0, end), names: namesOf(bytes) };
    if (heads.size >= HEADS_MAX) heads.clear();
    heads.set(hash, head);
  }
  const [datacenter, from, address, to, path] = head.names as [string, string, string, string, string];
  return { datacenter, from, address, to, path, body: bytes.subarray(end) };
}

function isHead(head: Uint8Array, bytes: Uint8Array, length: number): boolean {
  if (head.length !== length) return false;
  for (let at = 0; at < length; at += 1) if (head[at] !== bytes[at]) return false;
  return true;
}

function namesOf(bytes: Uint8Array): string[] {
  const names: string[] = [];
  let at = HEADER_BYTES;
  for (let i = 0; i < NAMES; i += 1) {
    const end = at + 1 + bytes[at]!;
    const name = bytes.subarray(at + 1, end);
    if (!isUtf8(name)) throw malformed();
    names.push(text(name));
    at = end;
  }
  return names;
}

const malformed = (): OperationalError => new OperationalError("unreachable", "a call between agents is malformed");

/** A reply that answers. */
export function encodeAnswer(body: Uint8Array): Uint8Array {
  const answer = allocate(HEADER_BYTES + 1 + body.length);
  answer[0] = MAGIC;
  answer[1] = PROTOCOL_VERSION;
  answer[HEADER_BYTES] = ANSWER;
  answer.set(body, HEADER_BYTES + 1);
  return answer;
}

/** A reply that says what went wrong. */
export function encodeError({ code, message, status }: OperationalError): Uint8Array {
  return concat([Uint8Array.of(MAGIC, PROTOCOL_VERSION, ERROR), encode({ code, message, status })]);
}

/**
 * The body of a reply.
 * @throws OperationalError what the peer threw; `outcome-unknown` when it cannot be read: what was asked may be done.
 */
export function decodeReply(bytes: Uint8Array): Uint8Array {
  requireVersion(bytes, "outcome-unknown");
  const kind = bytes[HEADER_BYTES];
  const body = bytes.subarray(HEADER_BYTES + 1);
  if (kind === ANSWER) return body;
  throw (kind === ERROR ? readError(body) : null) ?? unreadable();
}

/** Null when the bytes are no error. */
function readError(bytes: Uint8Array): OperationalError | null {
  const { code, message, status } = readable(() => decode(bytes) as Partial<OperationalError> | null) ?? {};
  if (typeof code !== "string" || typeof message !== "string") return null;
  return new OperationalError(code, message, {
    isAnswer: true,
    ...(typeof status === "number" ? { status } : {}),
  });
}

/** What `read` makes of a reply. @throws OperationalError `outcome-unknown` when it can make nothing of it. */
export function readable<T>(read: () => T): T {
  try {
    return read();
  } catch {
    // Whatever it stumbled over: the reply is not what an agent sends.
    throw unreadable();
  }
}

const unreadable = (): OperationalError =>
  new OperationalError("outcome-unknown", "a reply between agents is malformed: it is not known what was done");

function requireVersion(bytes: Uint8Array, code: ErrorCode): void {
  if (bytes.length <= HEADER_BYTES || bytes[0] !== MAGIC)
    throw new OperationalError(code, "what came is no message of this protocol: another program is at that address");
  if (bytes[1] !== PROTOCOL_VERSION)
    throw new OperationalError(
      code,
      `the peer speaks version ${bytes[1]} of the protocol, this agent ${PROTOCOL_VERSION}: run the same version of the program on both`,
    );
}
