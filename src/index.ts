// Proconsul's public surface: an agent for a platform of one's own, and the types that it takes. Ready platforms are in
// `proconsul/node`, `proconsul/bun` and `proconsul/deno`; the typed client is `proconsul/client`.
import { Agent, type AgentOptions } from "./agent/agent.ts";
import { HttpApp } from "./http/app.ts";
import type { Reply } from "./http/reply.ts";
import type { HttpRequest } from "./http/request.ts";
import { routes } from "./http/routes.ts";

export type { AgentOptions } from "./agent/agent.ts";
export type { AgentConfig } from "./config/config-types.ts";
export type * from "./platform.ts";
export { OperationalError } from "./types/error.ts";
export type { ErrorCode } from "./types/error.ts";
export type { HttpRequest } from "./http/request.ts";
export type { Reply } from "./http/reply.ts";
export { toResponse } from "./http/reply.ts";

/** A whole agent. Its doors are what a runtime calls; everything else is the agent's own business. */
export interface RunningAgent {
  readonly agent: Agent;
  /** Answers one API request with plain data; synchronous when the answer is at hand. */
  handle(request: HttpRequest): Reply | Promise<Reply>;
  /** The same for web requests. */
  fetch(request: Request, remoteAddress?: string): Promise<Response>;
  /** Answers one DNS message; null when there is nothing to answer. `from` is the asker's address. */
  dns(packet: Uint8Array, transport: "udp" | "tcp", from: string): Uint8Array | null | Promise<Uint8Array | null>;
  /**
   * Answers one call of another agent, as `Peers.call` of its platform sent it. Errors are answers too: it never rejects.
   * @param from the IP address that the call comes from.
   */
  peer(path: string, bytes: Uint8Array, from: string): Promise<Uint8Array>;
  /** Where datacenters call that know this one by one address alone: says who may come in, and answers. */
  readonly gateway: Agent["gateway"];
  /** The platform's timer has gone off. */
  wake(): void;
  /** Has another server lead, if this one does: for one that ends without leaving; `stop` comes after. */
  handOver(): Promise<void>;
  /** Leaves the datacenter gracefully; `stop` comes after. */
  leave(): Promise<void>;
  /** Ends everything at once; what was acknowledged is durable. */
  stop(): Promise<void>;
}

/** Makes an agent and starts it. @throws OperationalError that says what is wrong and what to do. */
export async function createAgent(options: AgentOptions): Promise<RunningAgent> {
  const agent = new Agent(options);
  const app = new HttpApp(agent, routes);
  await agent.start();
  return {
    agent,
    handle: (request) => app.handle(request),
    fetch: (request, remoteAddress) => app.fetch(request, remoteAddress),
    dns: (packet, transport, from) => agent.dns(packet, transport, from),
    peer: (path, bytes, from) => agent.peer(path, bytes, from),
    gateway: agent.gateway,
    wake: () => agent.wake(),
    handOver: () => agent.handOver(),
    leave: () => agent.leave(),
    stop: () => agent.stop(),
  };
}
