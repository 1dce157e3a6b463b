// A web `Request` (Bun, Deno, Workers, a browser, or anybody who calls `agent.fetch`) as the API's `HttpRequest`.
import { OperationalError } from "../types/error.ts";
import type { HttpRequest } from "./request.ts";

export class WebRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly #request: Request;
  readonly #address: () => string;

  /**
   * @param address gives the client's address; asked only when somebody wants it.
   * @param target as it came on the wire, where that is known
   */
  constructor(request: Request, address: () => string = () => "", target: string = targetOf(request.url)) {
    this.#request = request;
    this.method = request.method;
    this.#address = address;
    this.target = target;
  }

  get remoteAddress(): string {
    return this.#address();
  }

  header(name: string): string | null {
    return this.#request.headers.get(name);
  }

  async body(limitBytes: number): Promise<Uint8Array> {
    const stream = this.#request.body;
    if (stream === null) return new Uint8Array(0);
    const declared = Number(this.#request.headers.get("content-length") ?? Number.NaN);
    if (declared > limitBytes) throw tooLarge(declared, limitBytes);
    try {
      // The runtime holds a body to its declared length, and reads a whole one much faster than its stream.
      return declared >= 0 ? new Uint8Array(await this.#request.arrayBuffer()) : await this.#read(stream, limitBytes);
    } catch (error) {
      if (error instanceof OperationalError) throw error;
      // Each runtime has its own error for a client that goes away, or whose chunks are none.
      throw new OperationalError("invalid-request", `The request ended early: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async #read(stream: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let total = 0;
    for await (const chunk of stream) {
      total += chunk.length;
      if (total > limitBytes) throw tooLarge(total, limitBytes);
      chunks.push(chunk);
    }
    return joined(chunks, total);
  }

  onGone(gone: () => void): () => void {
    const { signal } = this.#request;
    signal.addEventListener("abort", gone, { once: true });
    return () => signal.removeEventListener("abort", gone);
  }
}

/** Path and query of a URL. */
function targetOf(url: string): string {
  const slash = url.indexOf("/", url.indexOf("//") + 2);
  const hash = url.indexOf("#");
  return slash < 0 ? "/" : url.slice(slash, hash < 0 ? undefined : hash);
}

/** The error for a body over its limit; an endpoint may say it in its own words. */
export const tooLarge = (bytes: number, limitBytes: number): OperationalError =>
  new OperationalError("payload-too-large", `Request body(${bytes} bytes) too large, max size: ${limitBytes} bytes.`);

/** One array of all chunks. */
export function joined(chunks: readonly Uint8Array[], total: number): Uint8Array {
  if (chunks.length === 1) return chunks[0] as Uint8Array;
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
