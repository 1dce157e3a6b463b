// An empty handler on Bun: the same 360 bytes to everybody, and a DNS answer that is the question sent back.
interface BunSocket {
  send(packet: Uint8Array, port: number, address: string): void;
}
declare const Bun: {
  serve(options: { hostname: string; port: number; fetch(): Response }): unknown;
  udpSocket(options: {
    hostname: string;
    port: number;
    socket: { data(socket: BunSocket, packet: Uint8Array, port: number, address: string): void };
  }): Promise<unknown>;
};

const [http, dns] = process.argv.slice(2).map(Number) as [number, number];
const body = "x".repeat(360);
Bun.serve({
  hostname: "127.0.0.1",
  port: http,
  fetch: () => new Response(body, { headers: { "Content-Type": "application/json" } }),
});
await Bun.udpSocket({
  hostname: "127.0.0.1",
  port: dns,
  socket: {
    data(socket, packet, port, address) {
      // QR: an answer.
      packet[2] = (packet[2] as number) | 0x80;
      socket.send(packet, port, address);
    },
  },
});

export {};
