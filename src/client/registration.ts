// A service that registers itself: for programs beside no agent, or none that checks them. It is healthy as long as it says
// so: by a TTL check of the agent that the client speaks to, or, under a node of its own, straight in the catalog.
import type { Client } from "./edge.ts";
import type { Clock } from "./clock.ts";
import { asyncDispose, within } from "./clock.ts";
import { ClientError } from "./transport.ts";
import type { CheckStatus, ServiceRegistration } from "./types.ts";

const TTL_MS = 15_000;
const RETRY_MS = 1_000;

/** What is registered, in Consul's words. */
export interface RegisteredService extends Pick<
  ServiceRegistration,
  "Tags" | "Meta" | "TaggedAddresses" | "Weights" | "EnableTagOverride"
> {
  Name: string;
  /** Its name when not given: two instances at one agent need ids of their own. */
  ID?: string;
  /** Where callers reach it; the agent's, or the node's, when not given. */
  Address?: string;
  Port?: number;
}

/** How it is kept there. */
export interface RegisterOptions {
  /** Unless a beat comes within this, the instance is critical: 15 s. A beat is sent thrice in that time. */
  ttlMs?: number;
  /** How long it may be critical before it is forgotten: ten TTLs, at least a minute, which is also the least for Consul. */
  forgetMs?: number;
  /** Asked before each beat; "passing" when not given. What it throws is critical. */
  check?(): CheckStatus | Promise<CheckStatus>;
  /**
   * Registers under this node, straight in the catalog, instead of at the agent: for clients behind a balancer, to whom no one
   * agent is "theirs". The catalog has no TTL: beats keep the entry there, `close` takes it out, and a process that dies
   * leaves it as it last was, unless something checks external nodes, for which the node is marked.
   */
  node?: { Node: string; Address: string; Meta?: Record<string, string> };
  /** False: no beats in the background; whoever registers calls `beat`, as from a Worker's scheduled event. */
  background?: boolean;
  /** Ends the registration, as `close` does. */
  signal?: AbortSignal;
  /** Told of each beat that failed. */
  onError?(error: unknown): void;
}

/** A service that is registered, and kept so. */
export interface Registration extends AsyncDisposable {
  readonly id: string;
  /** Why the last beat failed; null when it did not. */
  readonly error: unknown;
  /** Says now how the service is; registers again when the agent has forgotten it. @throws ClientError */
  beat(): Promise<void>;
  /** Ends the beats and takes the service out of the catalog; an agent that cannot be reached is no error. */
  close(): Promise<void>;
}

/** @throws ClientError when the first registration fails. */
export async function register(
  client: Client,
  clock: Clock,
  service: RegisteredService,
  options: RegisterOptions = {},
): Promise<Registration> {
  const { ttlMs = TTL_MS, background = true, signal } = options;
  const id = service.ID ?? service.Name;
  const place = options.node
    ? inCatalog(client, id, service, options.node)
    : atAgent(client, id, service, ttlMs, options);
  const over = new AbortController();
  let error: unknown = null;
  const beat = async (): Promise<void> => {
    let status: CheckStatus = "passing";
    let output = "";
    try {
      status = (await options.check?.()) ?? "passing";
    } catch (failure) {
      status = "critical";
      output = String(failure);
    }
    if (!over.signal.aborted) await within(clock, ttlMs, over.signal, (inner) => place.beat(status, output, inner));
  };
  await beat();
  const beats = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await clock.sleep(error === null ? ttlMs / 3 : Math.min(RETRY_MS, ttlMs / 3), over.signal);
      if (over.signal.aborted) return;
      try {
        await beat();
        error = null;
      } catch (failure) {
        if (over.signal.aborted) return;
        error = failure;
        options.onError?.(failure);
      }
    }
  };
  const running = background ? beats() : Promise.resolve();
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => {
    signal?.removeEventListener("abort", close);
    over.abort();
    return (closing ??= running.then(() => place.leave()).catch(() => {}));
  };
  if (signal?.aborted) await close();
  signal?.addEventListener("abort", close);
  return {
    id,
    get error() {
      return error;
    },
    beat,
    close,
    [asyncDispose]: close,
  };
}

interface Place {
  beat(status: CheckStatus, output: string, signal: AbortSignal): Promise<void>;
  leave(): Promise<void>;
}

function atAgent(
  { agent }: Client,
  id: string,
  given: RegisteredService,
  ttlMs: number,
  { forgetMs = Math.max(60_000, ttlMs * 10) }: RegisterOptions,
): Place {
  const CheckID = `service:${id}`;
  const Check = { CheckID, TTL: `${ttlMs}ms`, DeregisterCriticalServiceAfter: `${forgetMs}ms` };
  const service = { ...given, ID: id, Check };
  let isRegistered = false;
  return {
    async beat(status, output, signal) {
      if (!isRegistered) await agent.registerService(service, { signal });
      isRegistered = true;
      try {
        await agent.updateCheck(CheckID, status, output, { signal });
      } catch (error) {
        // "Unknown check ID": the agent was replaced, or has forgotten the service.
        if (!(error instanceof ClientError) || ![404, 500].includes(error.status)) throw error;
        await agent.registerService(service, { signal });
        await agent.updateCheck(CheckID, status, output, { signal });
      }
    },
    leave: () => agent.deregisterService(id),
  };
}

function inCatalog(
  { catalog }: Client,
  id: string,
  { Name, ...service }: RegisteredService,
  { Node, Address, Meta }: NonNullable<RegisterOptions["node"]>,
): Place {
  const NodeMeta = { "external-node": "true", ...Meta };
  const Service = { ...service, ID: id, Service: Name };
  return {
    async beat(Status, Output, signal) {
      const Check = { Node, CheckID: `service:${id}`, Name: `Service '${Name}' check`, ServiceID: id, Status, Output };
      // Writing what is there already changes nothing, and puts back what was lost.
      await catalog.register({ Node, Address, NodeMeta, Service, Check }, { signal });
    },
    async leave() {
      await catalog.deregister({ Node, ServiceID: id });
    },
  };
}
