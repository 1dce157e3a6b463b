// Compression of replies for clients that ask for it. A reply that many are given is compressed once.
import type { Reply } from "./reply.ts";
import type { HttpRequest } from "./request.ts";

/** Smaller bodies are sent as they are, as in Consul. */
const BYTES_MIN = 1400;

/** True for a reply that is worth compressing. */
export const isLarge = ({ body, headers }: Reply): boolean =>
  (typeof body === "string" || body instanceof Uint8Array) &&
  body.length >= BYTES_MIN &&
  !headers.includes("Content-Encoding");

/** True when the client takes gzip (RFC 9110, 12.5.3). */
export function acceptsGzip(request: HttpRequest): boolean {
  const accepted = request.header("accept-encoding");
  if (accepted === null) return false;
  for (const each of accepted.split(",")) {
    const [coding = "", ...parameters] = each.split(";");
    if (coding.trim().toLowerCase() === "gzip")
      return !parameters.some((parameter) => /^\s*q=0(?:\.0*)?\s*$/i.test(parameter));
  }
  return false;
}

const compressed = new WeakMap<Reply, Reply | Promise<Reply>>();

/** The reply with its body compressed. */
export function gzipped(reply: Reply): Reply | Promise<Reply> {
  let result = compressed.get(reply);
  if (result === undefined) {
    result = compress(reply).then((done) => {
      compressed.set(reply, done);
      return done;
    });
    compressed.set(reply, result);
  }
  return result;
}

async function compress({ status, headers, body }: Reply): Promise<Reply> {
  const stream = new Blob([body as string | Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return { status, headers: [...headers, "Content-Encoding", "gzip"], body: bytes };
}
