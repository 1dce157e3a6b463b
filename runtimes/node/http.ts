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

/** What a header may have at most, as in Go. */
export const HEADERS_BYTES_MAX: number = 1024 * 1024;
/** How long a connection may be silent between requests. */
export const IDLE_MS = 120_000;
/** How long a request's header may take. */
const BACKLOG = 4096;
const HEADERS_MS = 10_000;
const CHECK_MS_MIN = 50;
const CHECK_MS_MAX = 30_000;
/** What a client is told that holds too much at once. */
export const BUSY_TEXT = "Your IP is issuing too many concurrent connections, please rate limit your calls\n";

/** An answer for who is not listened to any further. */
const lastWords = (status: string, body: string): string =>
  `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const BUSY = lastWords("429 Too Many Requests", BUSY_TEXT);
/** By the parser's error: which status a broken request is answered with. */
const BROKEN = new Map([
  ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large"],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", "413 Payload Too Large"],
  ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout"],
]);

/** @throws OperationalError naming the address when it cannot be listened on. */
export async function listenHttp(handle: Handle, options: HttpListenerOptions): Promise<HttpListener> {
  const server = createServer(
    {
      maxHeaderSize: options.headersMaxBytes ?? HEADERS_BYTES_MAX,
      requestTimeout: options.readTimeoutMs ?? 15 * 60_000,
      headersTimeout: options.headersTimeoutMs ?? HEADERS_MS,
      // Node looks for slow clients this often, whatever the limits are.
      connectionsCheckingInterval: Math.min(
        CHECK_MS_MAX,
        Math.max(CHECK_MS_MIN, (options.headersTimeoutMs ?? HEADERS_MS) / 4),
      ),
      keepAliveTimeout: options.idleTimeoutMs ?? IDLE_MS,
      noDelay: true,
    },
    (request, response) => serve(handle, request, response),
  );
  let max = options.connectionsPerClientMax;
  limitConnections(server, () => max);
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const status = BROKEN.get(error.code ?? "") ?? "400 Bad Request";
    const words = lastWords(status, status);
    const turns = (socket as ServedSocket)[TURNS];
    // A request that came whole is answered first; one whose own body is broken never will be.
    if (turns?.served?.complete) turns.lastWords = words;
    else if (socket.writable) socket.end(words);
  });
  const port = await listen(server, options.address, options.port, BACKLOG);
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

/** Listens; gives the port. @throws OperationalError naming the address when it cannot be listened on. */
export function listen(server: Server, address: string, port: number, backlog: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, address, port));
    server.once("error", failed);
    server.listen({ host: address, port, backlog }, () => {
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
      let chunks: Uint8Array[] = [];
      let total = 0;
      message.on("data", (chunk: Uint8Array) => {
        total += chunk.length;
        if (total <= limitBytes) chunks.push(chunk);
        else {
          chunks = [];
          reject(tooLarge(total, limitBytes));
        }
      });
      message.on("end", () => resolve(joined(chunks, total)));
      // Every request closes in the end: an error, and its stack, is only made for one that was cut.
      const early = (): void => {
        if (!message.complete)
          reject(new OperationalError("invalid-request", "The request ended early: its connection was closed"));
      };
      message.on("error", early);
      message.on("close", early);
    });
  }

  onGone(gone: () => void): () => void {
    this.#response.once("close", gone);
    return () => this.#response.off("close", gone);
  }
}

const NOTHING = new Uint8Array(0);

const TURNS = Symbol("turns");
type ServedSocket = Socket & { [TURNS]?: Turns };

function serve(handle: Handle, message: IncomingMessage, response: ServerResponse): void {
  const socket: ServedSocket = message.socket;
  // The connection was refused as it opened; what it sent all the same must not happen.
  if (socket.writableEnded) return;
  const before = socket[TURNS];
  if (before !== undefined && before.served !== null) {
    before.queue(() => serve(handle, message, response));
    return;
  }
  const answer = handle(new NodeRequest(message, response));
  if (!(answer instanceof Promise)) {
    write(answer, message, response);
    return;
  }
  const turns = (socket[TURNS] ??= new Turns(socket));
  turns.served = message;
  answer.then((reply) => {
    write(reply, message, response);
    turns.next();
  });
}

/** How many requests of a connection wait for the one before them until no more are read. */
const WAITING_MAX = 64;

/**
 * The requests of one connection take turns, as in Go: one that was sent behind another may rely on what that one did, and
 * a connection holds one blocking query at most.
 */
class Turns {
  /** The request that is being served and not answered yet. */
  served: IncomingMessage | null = null;
  /** What the connection is to end with, once what came before is answered: the rest of what it sent is broken. */
  lastWords: string | null = null;
  readonly #socket: Socket;
  readonly #waiting: (() => void)[] = [];
  #paused = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  queue(serveIt: () => void): void {
    this.#waiting.push(serveIt);
    if (this.#waiting.length < WAITING_MAX || this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  /** The one served is answered. */
  next(): void {
    this.served = null;
    while (this.served === null && this.#waiting.length > 0) (this.#waiting.shift() as () => void)();
    if (this.#paused && this.#waiting.length < WAITING_MAX / 2) {
      this.#paused = false;
      this.#socket.resume();
    }
    if (this.served === null && this.lastWords !== null && this.#socket.writable) this.#socket.end(this.lastWords);
  }
}

function write(reply: Reply, message: IncomingMessage, response: ServerResponse): void {
  if (response.destroyed || message.socket.writableEnded) {
    if (reply.body instanceof ReadableStream) void reply.body.cancel().catch(() => {});
    return;
  }
  const { body } = reply;
  if (
    !message.complete &&
    (message.headers["content-length"] !== undefined || message.headers["transfer-encoding"] !== undefined)
  )
    discard(message);
  response.writeHead(reply.status, wireHeaders(reply));
  if (body === null || typeof body === "string" || body instanceof Uint8Array) {
    response.end(body === null ? undefined : body);
    return;
  }
  response.flushHeaders();
  void pump(body, response);
}

/**
 * Lets a body run out that is answered without having been read, so that its client comes to read the answer: a connection
 * that is closed on it would take the answer with it. One that goes on and on is closed.
 */
function discard(message: IncomingMessage): void {
  const { socket } = message;
  let bytes = 0;
  message.on("data", (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > DISCARDED_BYTES_MAX) socket.destroy();
  });
  message.resume();
  const timer = setTimeout(() => socket.destroy(), DISCARDED_MS_MAX);
  message.once("close", () => clearTimeout(timer));
}
const DISCARDED_BYTES_MAX = 64 * 1024 * 1024;
const DISCARDED_MS_MAX = 10_000;

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
      if (!response.write(value)) await drained(response);
      if (response.destroyed) return;
    }
    response.end();
  } catch {
    response.destroy();
  }
}

/** Resolves when the client has taken what was written, or has gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}
