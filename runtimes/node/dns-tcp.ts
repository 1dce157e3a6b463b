// DNS over TCP (RFC 1035 §4.2.2, 7766) by `node:net`, which Node, Bun and Deno have: messages behind two bytes of length,
// several on a connection, answered as they are ready. A client that sends slowly or does not read is dropped, and holds
// no more memory than its share until then.

import { createServer, type AddressInfo, type Socket } from "node:net";
import type { DnsHandle, DnsListener } from "./dns.ts";
import { listenError } from "./http.ts";

/** A connection must finish a message, or take what was sent to it, this often. */
const IDLE_MS = 10_000;
const SWEEP_MS = 1000;
const CONNECTIONS_MAX = 1024;
const CONNECTIONS_PER_ADDRESS_MAX = 128;
/** Questions of one connection that wait for an answer; more are not read until some are answered. */
const WAITING_MAX = 64;
/** Bytes that wait to be sent on one connection; beyond them nothing more is read from it. */
const UNSENT_BYTES_MAX = 256 * 1024;

/** Options of every DNS listener. */
export interface DnsListenOptions {
  address: string;
  port: number;
  /** Told of what the handler throws: bugs, whose question goes unanswered. */
  onError?(error: unknown): void;
  /** For tests: `IDLE_MS`. */
  idleMs?: number;
}

/** Listens for TCP. @throws OperationalError when the address cannot be had. */
export async function listenDnsTcp(handle: DnsHandle, options: DnsListenOptions): Promise<DnsListener> {
  const open = new Set<Connection>();
  const perAddress = new Map<string, number>();
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const from = plainAddress(socket.remoteAddress ?? "");
    const count = perAddress.get(from) ?? 0;
    if (open.size >= CONNECTIONS_MAX || count >= CONNECTIONS_PER_ADDRESS_MAX) {
      socket.on("error", ignore);
      socket.destroy();
      return;
    }
    perAddress.set(from, count + 1);
    const connection = new Connection(socket, from, handle, options);
    open.add(connection);
    socket.once("close", () => {
      open.delete(connection);
      const left = (perAddress.get(from) ?? 1) - 1;
      if (left === 0) perAddress.delete(from);
      else perAddress.set(from, left);
    });
  });
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, options.address, options.port));
    server.once("error", failed);
    server.listen({ host: options.address, port: options.port, backlog: 1024 }, () => {
      server.off("error", failed);
      server.on("error", ignore);
      resolve();
    });
  });
  const idleMs = options.idleMs ?? IDLE_MS;
  const sweep = setInterval(
    () => {
      const now = performance.now();
      for (const connection of open) if (connection.isIdle(now, idleMs)) connection.destroy();
    },
    Math.min(SWEEP_MS, idleMs),
  );
  sweep.unref();
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        clearInterval(sweep);
        server.close(() => resolve());
        for (const connection of open) connection.destroy();
      }),
  };
}

/** An IPv4 client of a socket for both families is shown as ::ffff:1.2.3.4. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

/** One client. What it sent and was not read yet is never more than one chunk beyond one message. */
class Connection {
  readonly #socket: Socket;
  readonly #from: string;
  readonly #handle: DnsHandle;
  readonly #onError: ((error: unknown) => void) | undefined;
  #unread: Uint8Array = new Uint8Array(0);
  /** Questions being answered. */
  #waiting = 0;
  #ended = false;
  /** When a message was last finished, or the client last caught up with what it was sent. */
  #active: number = performance.now();

  constructor(socket: Socket, from: string, handle: DnsHandle, options: DnsListenOptions) {
    this.#socket = socket;
    this.#from = from;
    this.#handle = handle;
    this.#onError = options.onError;
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Uint8Array) => {
      this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
      this.#read();
    });
    socket.on("drain", () => {
      this.#active = performance.now();
      this.#read();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#endWhenDone();
    });
  }

  /** True when the client has been given all it waits for and has done nothing in time, or does not take it. */
  isIdle(now: number, idleMs: number): boolean {
    const owed = this.#waiting > 0 && this.#socket.writableLength === 0;
    return !owed && now - this.#active > idleMs;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #isFull(): boolean {
    return this.#waiting >= WAITING_MAX || this.#socket.writableLength > UNSENT_BYTES_MAX;
  }

  /** Takes every whole message that has come, as far as there is room for answers. */
  #read(): void {
    if (this.#socket.destroyed) return;
    const bytes = this.#unread;
    let at = 0;
    this.#socket.cork();
    while (bytes.length - at >= 2 && !this.#isFull()) {
      const end = at + 2 + ((bytes[at]! << 8) | bytes[at + 1]!);
      if (end > bytes.length) break;
      this.#answer(bytes.subarray(at + 2, end));
      at = end;
    }
    this.#socket.uncork();
    if (at > 0) {
      this.#unread = bytes.subarray(at);
      this.#active = performance.now();
    }
    if (this.#isFull()) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
    this.#endWhenDone();
  }

  #answer(packet: Uint8Array): void {
    try {
      const answer = this.#handle(packet, "tcp", this.#from);
      if (!(answer instanceof Promise)) {
        this.#send(answer);
        return;
      }
      this.#waiting += 1;
      answer.then(
        (later) => this.#answered(later),
        (error: unknown) => {
          this.#onError?.(error);
          this.#answered(null);
        },
      );
    } catch (error) {
      this.#onError?.(error);
    }
  }

  #answered(answer: Uint8Array | null): void {
    this.#waiting -= 1;
    this.#active = performance.now();
    this.#send(answer);
    this.#read();
  }

  #send(answer: Uint8Array | null): void {
    if (answer === null || this.#socket.destroyed || answer.length > 0xffff) return;
    const message = Buffer.allocUnsafe(answer.length + 2);
    message.writeUInt16BE(answer.length);
    message.set(answer, 2);
    this.#socket.write(message);
  }

  /** A client that said it will ask no more is still told what it asked for. */
  #endWhenDone(): void {
    if (this.#ended && this.#waiting === 0 && !this.#socket.isPaused()) this.#socket.end();
  }
}

function ignore(): void {
  // A connection or a listener that fails is closed; there is nobody to tell.
}
