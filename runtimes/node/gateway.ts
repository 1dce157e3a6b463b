// Where datacenters call that know this one by one address alone (`ports.gateway`), on Node, Bun and Deno: HTTP POST requests, of
// which those without the right token are refused before their body is read. It speaks plain HTTP: a proxy in front of it ends
// TLS and hands the header `Authorization` on.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { RunningAgent } from "../../src/index.ts";
import { type PeerListener, readBody } from "./peers.ts";
import { answerCall, openCallListener, refuseCall } from "./call-listener.ts";

const IDLE_MS = 120_000;
const BODY_MS = 15 * 60_000;
const HEADERS_MS = 10_000;

/** The agent's door, as soon as there is one. */
export type GatewayHandle = () => Promise<RunningAgent["gateway"]>;

/** @throws OperationalError naming the address when it cannot be listened on. */
export async function listenGateway(
  door: GatewayHandle,
  { address, port }: { address: string; port: number },
): Promise<PeerListener> {
  const server = createServer(
    { keepAliveTimeout: IDLE_MS, requestTimeout: BODY_MS, headersTimeout: HEADERS_MS, noDelay: true },
    (message, response) => void serve(door, message, response),
  );
  return openCallListener(server, { address, port });
}

async function serve(door: GatewayHandle, message: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    if (message.method !== "POST") return refuseCall(response, 405);
    const path = message.url ?? "";
    const gateway = await door();
    const from = message.socket.remoteAddress ?? "";
    const refusal = gateway.refusal(path, message.headers.authorization ?? null, from);
    if (refusal !== null) return refuseCall(response, refusal);
    const answer = await gateway.handle(path, await readBody(message), from);
    answerCall(response, answer);
  } catch {
    // The caller has gone, or sent more than is taken.
    response.destroy();
  }
}
