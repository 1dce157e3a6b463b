// Asks a recursor one question, by UDP or TCP, for `DnsSource.recurse`. Each question has a socket of its own, whose port
// the kernel picks by chance; only the recursor's own answer with the question's id is taken (RFC 5452).

import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import type { Transport } from "../../src/dns/source.ts";
import { OperationalError } from "../../src/types/error.ts";

/** Questions under way; more fail at once, or a flood of foreign names would take every socket there is. */
const UNDER_WAY_MAX = 512;
let underWay = 0;

/**
 * @param recursor `address:port`, an IPv6 address in brackets.
 * @throws OperationalError `timeout`, `unreachable`, or `rate-limited` when too many questions are under way.
 */
export async function recurse(
  packet: Uint8Array,
  transport: Transport,
  recursor: string,
  timeoutMs: number,
): Promise<Uint8Array> {
  if (underWay >= UNDER_WAY_MAX)
    throw new OperationalError("rate-limited", "too many questions to recursors under way");
  underWay += 1;
  try {
    return await (transport === "udp" ? askUdp : askTcp)(packet, parse(recursor), timeoutMs);
  } finally {
    underWay -= 1;
  }
}

interface Place {
  host: string;
  port: number;
}

function parse(recursor: string): Place {
  const colon = recursor.lastIndexOf(":");
  return { host: recursor.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(recursor.slice(colon + 1)) };
}

function isReply(reply: Uint8Array, packet: Uint8Array): boolean {
  return reply.length >= 12 && reply[0] === packet[0] && reply[1] === packet[1];
}

function timedOut({ host, port }: Place): OperationalError {
  return new OperationalError("timeout", `recursor ${host}:${port} did not answer in time`);
}

function failed({ host, port }: Place, error: Error): OperationalError {
  return new OperationalError("unreachable", `recursor ${host}:${port}: ${error.message}`, { cause: error });
}

function askUdp(packet: Uint8Array, place: Place, timeoutMs: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(place.host) ? "udp6" : "udp4");
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      // Errors of a socket that is closing concern nobody.
      socket.on("error", () => {});
      socket.close();
      settle();
    };
    const timer = setTimeout(() => end(() => reject(timedOut(place))), timeoutMs);
    socket.on("error", (error) => end(() => reject(failed(place, error))));
    socket.on("message", (reply) => {
      if (isReply(reply, packet)) end(() => resolve(reply));
    });
    // Connected, it gets no packet from anyone else, and hears at once that nobody listens there.
    socket.connect(place.port, place.host, () => socket.send(packet));
  });
}

function askTcp(packet: Uint8Array, place: Place, timeoutMs: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: place.host, port: place.port, noDelay: true });
    let received = Buffer.alloc(0);
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      socket.destroy();
      settle();
    };
    const timer = setTimeout(() => end(() => reject(timedOut(place))), timeoutMs);
    socket.on("error", (error) => end(() => reject(failed(place, error))));
    socket.on("close", () => end(() => reject(failed(place, new Error("closed without an answer")))));
    socket.on("connect", () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(packet.length);
      socket.write(Buffer.concat([length, packet]));
    });
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const last = received.length < 2 ? Number.POSITIVE_INFINITY : 2 + received.readUInt16BE();
      if (received.length < last) return;
      const reply = received.subarray(2, last);
      end(() =>
        isReply(reply, packet) ? resolve(reply) : reject(failed(place, new Error("answered something else"))),
      );
    });
  });
}
