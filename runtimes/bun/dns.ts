// The DNS listener on Bun: UDP by Bun's own socket, which answers half as much again as its node:dgram, the rest as on Node.

import {
  type DnsHandle,
  type DnsListener,
  type DnsListenOptions,
  listenBoth,
  udpListenError,
  UdpAnswers,
} from "../node/dns.ts";

export { recurse } from "../node/dns.ts";
export type { DnsHandle, DnsListener, DnsListenOptions } from "../node/dns.ts";

/** What is used of Bun's UDP socket (https://bun.sh/docs/api/udp). */
interface BunUdpSocket {
  readonly port: number;
  /** False when the kernel has no room: the datagram is lost, as UDP's may be. */
  send(data: Uint8Array, port: number, address: string): boolean;
  close(): void;
}
interface BunGlobal {
  udpSocket(options: {
    hostname: string;
    port: number;
    socket: {
      data(socket: BunUdpSocket, packet: Uint8Array, port: number, address: string): void;
      error?(socket: BunUdpSocket, error: Error): void;
    };
  }): Promise<BunUdpSocket>;
}
declare const Bun: BunGlobal;

/** Listens on UDP and TCP, as `listenDns` of Node does. */
export function listenDns(handle: DnsHandle, options: DnsListenOptions): Promise<DnsListener> {
  return listenBoth(listenDnsUdp, handle, options);
}

async function listenDnsUdp(handle: DnsHandle, options: DnsListenOptions): Promise<DnsListener> {
  let socket: BunUdpSocket | null = null;
  const udp = new UdpAnswers(handle, options.onError, (answer, port, address) => {
    try {
      socket?.send(answer, port, address);
    } catch {
      // A client that is gone.
    }
  });
  try {
    socket = await Bun.udpSocket({
      hostname: options.address,
      port: options.port,
      socket: {
        data: (_socket, packet, port, address) => udp.answer(packet, port, address),
        error: () => {},
      },
    });
  } catch (error) {
    throw udpListenError(error, options);
  }
  const { port } = socket;
  return {
    port,
    close: () => {
      socket?.close();
      socket = null;
      return Promise.resolve();
    },
  };
}
