// The DNS listener by `node:dgram` and `node:net`: UDP and TCP on one port, and what asks recursors. Bun and Deno take the
// TCP half and the recursors from here, and UDP from their own sockets where these are faster.

import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Awaitable, Transport } from "../../src/dns/source.ts";
import { OperationalError } from "../../src/types/error.ts";
import { type DnsListenOptions, listenDnsTcp, plainAddress } from "./dns-tcp.ts";
import { listenError } from "./http.ts";

export { recurse } from "./dns-recurse.ts";
export type { DnsListenOptions } from "./dns-tcp.ts";

/** `DnsService.handle`. The packet may be used again after the call returns. */
export type DnsHandle = (packet: Uint8Array, transport: Transport, from: string) => Awaitable<Uint8Array | null>;

export interface DnsListener {
  readonly port: number;
  /** Stops listening and closes what is open. */
  close(): Promise<void>;
}

/** Bytes that the kernel may hold for us; it takes less where it is limited. */
const RECEIVE_BYTES = 4 * 1024 * 1024;
/** Questions by UDP that wait for an answer; beyond them packets are dropped, as UDP may. */
const WAITING_MAX = 4096;
/** How often another port is tried when port 0 gave one that is taken for TCP. */
const PORT_TRIES = 10;

/** Listens on UDP and TCP. Port 0 takes any port free for both. @throws OperationalError that names the address. */
export function listenDns(handle: DnsHandle, options: DnsListenOptions): Promise<DnsListener> {
  return listenBoth(listenDnsUdp, handle, options);
}

/** Joins a UDP listener and the TCP one on the same port. */
export async function listenBoth(
  listenUdp: (handle: DnsHandle, options: DnsListenOptions) => Promise<DnsListener>,
  handle: DnsHandle,
  options: DnsListenOptions,
): Promise<DnsListener> {
  for (let tries = 1; ; tries += 1) {
    const udp = await listenUdp(handle, options);
    try {
      const tcp = await listenDnsTcp(handle, { ...options, port: udp.port });
      const close = async (): Promise<void> => void (await Promise.all([udp.close(), tcp.close()]));
      return { port: udp.port, close };
    } catch (error) {
      await udp.close();
      if (options.port !== 0 || tries === PORT_TRIES) throw error;
    }
  }
}

/** Listens on UDP alone. */
export async function listenDnsUdp(handle: DnsHandle, options: DnsListenOptions): Promise<DnsListener> {
  const ipv6 = isIPv6(options.address);
  const socket = createSocket({
    type: ipv6 ? "udp6" : "udp4",
    recvBufferSize: RECEIVE_BYTES,
    // Every address to send to came with a packet: there is nothing to resolve.
    lookup: (hostname, _options, found) => found(null, hostname, ipv6 ? 6 : 4),
  });
  await bind(socket, options);
  // Failed sends (a client that is gone) are reported here, too.
  socket.on("error", () => {});
  const udp = new UdpAnswers(handle, options.onError, (answer, port, address) => {
    socket.send(answer, 0, answer.length, port, address);
  });
  socket.on("message", (packet, sender) => udp.answer(packet, sender.port, sender.address));
  return { port: socket.address().port, close: () => new Promise((resolve) => socket.close(() => resolve())) };
}

function bind(socket: Socket, { address, port }: DnsListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      socket.close();
      reject(listenError(error, address, port));
    };
    socket.once("error", failed);
    socket.bind({ address, port }, () => {
      socket.off("error", failed);
      resolve();
    });
  });
}

/** What the UDP listeners of all runtimes have in common: a packet to its answer, at once or later. */
export class UdpAnswers {
  readonly #handle: DnsHandle;
  readonly #onError: ((error: unknown) => void) | undefined;
  readonly #send: (answer: Uint8Array, port: number, address: string) => void;
  #waiting = 0;

  constructor(
    handle: DnsHandle,
    onError: ((error: unknown) => void) | undefined,
    send: (answer: Uint8Array, port: number, address: string) => void,
  ) {
    this.#handle = handle;
    this.#onError = onError;
    this.#send = send;
  }

  /** Never throws; what the handler throws is reported. */
  answer(packet: Uint8Array, port: number, address: string): void {
    if (this.#waiting >= WAITING_MAX) return;
    try {
      const answer = this.#handle(packet, "udp", plainAddress(address));
      if (answer instanceof Promise) void this.#answerLater(answer, port, address);
      else if (answer !== null) this.#send(answer, port, address);
    } catch (error) {
      this.#onError?.(error);
    }
  }

  async #answerLater(pending: Promise<Uint8Array | null>, port: number, address: string): Promise<void> {
    this.#waiting += 1;
    try {
      const answer = await pending;
      if (answer !== null) this.#send(answer, port, address);
    } catch (error) {
      this.#onError?.(error);
    } finally {
      this.#waiting -= 1;
    }
  }
}

/** The error of a UDP socket that is not Node's, in the same words. */
export function udpListenError(error: unknown, { address, port }: DnsListenOptions): OperationalError {
  const cause = error instanceof Error ? error : new Error(String(error));
  return listenError(cause as NodeJS.ErrnoException, address, port);
}
