// The HTTP listener by `node:http`, for Node (and wherever `node:http` is the best there is). It writes an agent's plain
// replies straight to the socket: a `Request` and a `Response` would cost more than the answer does.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Reply } from "../../src/http/reply.ts";
import type { HttpRequest } from "../../src/http/request.ts";
import { joined, tooLarge } from "../../src/http/web-request.ts";
import { OperationalError } from "../../src/types/error.ts";

export interface HttpListenerOptions {
  address: string;
  port: number;
  /** Connections one address may hold; more are told 429 and closed. */
  connectionsPerClientMax: number;
  headersMaxBytes?: number;
  readTimeoutMs?: number;
  headersTimeoutMs?: number;
  idleTimeoutMs?: number;
}

export interface HttpListener {
  readonly port: number;
  /** Stops listening and closes what is open. */
  close(): Promise<void>;
  /** Applies a changed limit to new connections. */
  limit(connectionsPerClientMax: number): void;
}

export type Handle = (request: HttpRequest) => Reply | Promise<Reply>;

const BUSY =
  "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 62\r\n\r\nYour IP is issuing too many concurrent connections, please rate";

/** @throws OperationalError naming the address when it cannot be listened on. */
export async function listenHttp(handle: Handle, options: HttpListenerOptions): Promise<HttpListener> {
  const server = createServer(
    {
      maxHeaderSize: options.headersMaxBytes ?? 1024 * 1024,
      requestTimeout: options.readTimeoutMs ?? 15 * 60_000,
      headersTimeout: options.headersTimeoutMs ?? 10_000,
      keepAliveTimeout: options.idleTimeoutMs ?? 120_000,
      noDelay: true,
    },
    (request, response) => serve(handle, request, response),
  );
  let max = options.connectionsPerClientMax;
  limitConnections(server, () => max);
  server.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n400 Bad Request");
  });
  const port = await listen(server, options.address, options.port);
  return {
    port,
    limit: (value) => {
      max = value;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, address, port));
    server.once("error", failed);
    server.listen({ host: address, port, backlog: 4096 }, () => {
      server.off("error", failed);
      resolve((server.address() as { port: number }).port);
    });
  });
}

/** Says which address could not be listened on and what to do. */
export function listenError(error: NodeJS.ErrnoException, address: string, port: number): OperationalError {
  const where = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  const why =
    error.code === "EADDRINUSE"
      ? "the port is in use; stop the other process or choose another port"
      : error.code === "EADDRNOTAVAIL"
        ? "this machine has no such address"
        : error.code === "EACCES"
          ? "no permission to listen on this port"
          : error.message;
  return new OperationalError("unreachable", `listen ${where}: ${why}`, { cause: error });
}

function limitConnections(server: Server, max: () => number): void {
  const open = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const count = (open.get(address) ?? 0) + 1;
    if (max() > 0 && count > max()) {
      socket.end(BUSY);
      socket.destroySoon();
      return;
    }
    open.set(address, count);
    socket.once("close", () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
}

class NodeRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(message: IncomingMessage, response: ServerResponse) {
    this.#message = message;
    this.#response = response;
    this.method = message.method as string;
    this.target = message.url as string;
  }

  get remoteAddress(): string {
    return this.#message.socket.remoteAddress ?? "";
  }

  header(name: string): string | null {
    const value = this.#message.headers[name];
    return value === undefined ? null : typeof value === "string" ? value : value.join(", ");
  }

  body(limitBytes: number): Promise<Uint8Array> {
    const message = this.#message;
    const declared = Number(message.headers["content-length"] ?? Number.NaN);
    if (declared > limitBytes) return Promise.reject(tooLarge(declared, limitBytes));
    if (Number.isNaN(declared) && message.headers["transfer-encoding"] === undefined) return Promise.resolve(NOTHING);
    return new Promise((resolve, reject) => {
      const chunks: Uint8Array[] = [];
      let total = 0;
      message.on("data", (chunk: Uint8Array) => {
        total += chunk.length;
        if (total > limitBytes) {
          message.pause();
          reject(tooLarge(total, limitBytes));
        } else chunks.push(chunk);
      });
      message.on("end", () => resolve(joined(chunks, total)));
      message.on("error", (error) => reject(new OperationalError("invalid-request", `The request ended early: ${error.message}`)));
    });
  }

  onGone(gone: () => void): () => void {
    this.#response.once("close", gone);
    return () => this.#response.off("close", gone);
  }
}

const NOTHING = new Uint8Array(0);

function serve(handle: Handle, message: IncomingMessage, response: ServerResponse): void {
  const answer = handle(new NodeRequest(message, response));
  if (answer instanceof Promise) answer.then((reply) => write(reply, message, response));
  else write(answer, message, response);
}

function write(reply: Reply, message: IncomingMessage, response: ServerResponse): void {
  if (response.destroyed) {
    if (reply.body instanceof ReadableStream) void reply.body.cancel().catch(() => {});
    return;
  }
  const { body } = reply;
  // A refused body that is still coming would be read as the next request: the connection ends with this answer.
  const unread = !message.complete && reply.status === 413;
  const headers = unread ? [...wireHeaders(reply), "Connection", "close"] : wireHeaders(reply);
  if (body === null || typeof body === "string" || body instanceof Uint8Array) {
    response.writeHead(reply.status, headers);
    response.end(body === null ? undefined : body);
    if (unread) response.once("finish", () => message.socket.destroySoon());
    return;
  }
  response.writeHead(reply.status, headers);
  response.flushHeaders();
  void pump(body, response);
}

/** A reply given to many is given the same headers each time. */
const lengthened = new WeakMap<Reply, string[]>();

/** The reply's headers with its length, so that a body goes out in one piece and unchunked. */
function wireHeaders(reply: Reply): string[] {
  const { body } = reply;
  if (body instanceof ReadableStream) return reply.headers as string[];
  let headers = lengthened.get(reply);
  if (headers === undefined) {
    const length = body === null ? 0 : typeof body === "string" ? Buffer.byteLength(body) : body.length;
    headers = [...reply.headers, "Content-Length", String(length)];
    lengthened.set(reply, headers);
  }
  return headers;
}

async function pump(body: ReadableStream<Uint8Array>, response: ServerResponse): Promise<void> {
  const reader = body.getReader();
  response.once("close", () => void reader.cancel().catch(() => {}));
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!response.write(value)) await new Promise((resolve) => {
        response.once("drain", resolve);
        response.once("close", resolve);
      });
      if (response.destroyed) return;
    }
    response.end();
  } catch {
    response.destroy();
  }
}
