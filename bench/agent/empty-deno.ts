// An empty handler on Deno: the same 360 bytes to everybody, and a DNS answer that is the question sent back.
interface Datagrams extends AsyncIterable<[Uint8Array, unknown]> {
  send(packet: Uint8Array, to: unknown): Promise<number>;
}
declare const Deno: {
  serve(options: { hostname: string; port: number; onListen(): void }, handler: () => Response): unknown;
  listenDatagram(options: { transport: "udp"; hostname: string; port: number }): Datagrams;
};

const [http, dns] = process.argv.slice(2).map(Number) as [number, number];
const body = "x".repeat(360);
Deno.serve(
  { hostname: "127.0.0.1", port: http, onListen: () => {} },
  () => new Response(body, { headers: { "Content-Type": "application/json" } }),
);
const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: dns });
for await (const [packet, from] of socket) {
  // QR: an answer.
  packet[2] = (packet[2] as number) | 0x80;
  await socket.send(packet, from);
}

export {};
