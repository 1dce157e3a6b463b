// An empty handler on Node: the same 360 bytes to everybody, and a DNS answer that is the question sent back.
import { createSocket } from "node:dgram";
import { createServer } from "node:http";

const [http, dns] = process.argv.slice(2).map(Number);
const body = "x".repeat(360);
const headers = ["Content-Type", "application/json", "Content-Length", String(body.length)];
createServer((_request, response) => {
  response.writeHead(200, headers);
  response.end(body);
}).listen(http, "127.0.0.1");

const socket = createSocket("udp4");
socket.on("message", (packet, from) => {
  // QR: an answer.
  packet[2] = (packet[2] as number) | 0x80;
  socket.send(packet, from.port, from.address);
});
socket.bind(dns, "127.0.0.1");
