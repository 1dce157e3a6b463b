// The HTTP API: a Hono app made from the table of routes. `handle` answers a plain request with a plain reply, in one
// synchronous call when nothing has to be waited for; `fetch` is the same for web requests.
import { Hono } from "hono";
import { OperationalError } from "../types/error.ts";
import { Generations } from "../util/generations.ts";
import type { Sample } from "../util/instrument.ts";
import type { Agent } from "../agent/agent.ts";
import { Context } from "./context.ts";
import { errorReply } from "./errors.ts";
import { Guard } from "./guard.ts";
import { acceptsGzip, gzipped, isLarge } from "./gzip.ts";
import { QueryString } from "./query-string.ts";
import { RateLimit } from "./rate-limit.ts";
import { reply, type Reply, TEXT, textReply, toResponse } from "./reply.ts";
import type { HttpRequest } from "./request.ts";
import type { Method, RouteRow } from "./route-table.ts";
import type { SharedRead } from "../rpc/authority.ts";
import { canonicalTarget, collapsedTarget, redacted, Retargeted } from "./target.ts";
import { WebRequest } from "./web-request.ts";

/** Replies that were given to a GET and may be given again while what they show has not changed. */
interface KeptReply {
  readonly reply: Reply;
  readonly shared: SharedRead<unknown>;
  readonly times: Sample;
  /** Worth compressing for who takes that. */
  readonly large: boolean;
}
const KEPT_REPLIES_MAX = 8192;
/** Longer targets are not worth a place among the kept ones. */
const KEPT_TARGET_LENGTH_MAX = 512;

export class HttpApp {
  readonly #agent: Agent;
  readonly #hono: Hono;
  readonly #kept = new Generations<string, KeptReply>(KEPT_REPLIES_MAX);
  readonly #guard: Guard;
  readonly #limit: RateLimit | null;
  /** `http_config.response_headers`: on every reply. */
  readonly #headers: readonly string[];
  readonly #dressed = new WeakMap<Reply, Reply>();

  constructor(agent: Agent, rows: readonly RouteRow[]) {
    this.#agent = agent;
    this.#guard = new Guard(agent.config);
    this.#limit = RateLimit.of(agent.config, () => agent.platform.now(), agent.logs.logger("agent.http"));
    this.#headers = Object.entries(agent.config.httpConfig.responseHeaders).flat();
    this.#hono = new Hono({ getPath: (request) => pathOf((request as unknown as HttpRequest).target) });
    for (const [path, servers] of this.#groups(rows)) {
      const serve =
        servers.length === 1
          ? (servers[0] as PathServer).serve
          : longestMatch(servers, (request) => this.#dress(notFound(request)));
      // Hono hands over what it was given and gives back what the handler returns: neither is touched on the way.
      this.#hono.all(path, (c) => serve(c.req.raw as unknown as HttpRequest) as unknown as Response);
    }
    this.#hono.notFound((c) => this.#dress(notFound(c.req.raw as unknown as HttpRequest)) as unknown as Response);
  }

  /** Answers a request; synchronous when the answer is at hand. Never throws or rejects. */
  handle(request: HttpRequest): Reply | Promise<Reply> {
    if (request.method === "GET") {
      const kept = this.#kept.get(request.target);
      if (kept !== undefined && kept.shared.fresh && this.#agent.route.readable) {
        const refusal = this.#guard.foreignPage(request, false) ?? this.#limit?.refusal("GET", request.target) ?? null;
        if (refusal !== null) return this.#dress(refusal);
        // Given again in less time than two looks at the clock would take.
        kept.times.add(0);
        return kept.large && acceptsGzip(request) ? gzipped(kept.reply) : kept.reply;
      }
    }
    return this.#route(request);
  }

  /** Brings the target into its one form, refuses what is to be refused, and hands the rest to its row. */
  #route(request: HttpRequest): Reply | Promise<Reply> {
    const { method } = request;
    let target: string;
    try {
      target = canonicalTarget(request.target, this.#agent.config.disableHttpUnprintableCharFilter);
    } catch (error) {
      return this.#dress(errorReply(error, () => {}));
    }
    const elsewhere = collapsedTarget(target);
    if (elsewhere !== null) return this.#dress(textReply(301, "Moved Permanently\n", ["Location", elsewhere]));
    const asked = target === request.target ? request : new Retargeted(request, target);
    const path = pathOf(target);
    const refusal = this.#guard.refusal(asked, path) ?? this.#limit?.refusal(method, path) ?? null;
    if (refusal !== null) return this.#dress(refusal);
    // Consul's routes allow no HEAD; Hono would answer it as a GET.
    if (method === "HEAD") return this.#dress(textReply(405, "method HEAD not allowed"));
    return this.#hono.fetch(asked as unknown as Request) as unknown as Reply | Promise<Reply>;
  }

  async fetch(request: Request, remoteAddress = ""): Promise<Response> {
    return toResponse(await this.handle(new WebRequest(request, () => remoteAddress)));
  }

  /**
   * The paths that Hono is given, each with the rows' paths that it covers. No two overlap: Hono runs every handler that
   * matches, one after the other, where one alone is called as it is.
   */
  #groups(rows: readonly RouteRow[]): Map<string, PathServer[]> {
    const groups = new Map<string, PathServer[]>();
    // A wildcard sorts before all that it covers.
    for (const [path, methods] of [...byPath(rows)].sort(([a], [b]) => (stem(a) < stem(b) ? -1 : 1))) {
      const server: PathServer = { path, serve: this.#server(path, methods) };
      const root = [...groups.keys()].find((group) => group.endsWith("/*") && path.startsWith(stem(group)));
      const group = groups.get(root ?? path) ?? [];
      groups.set(root ?? path, [...group, server]);
    }
    return groups;
  }

  #server(path: string, methods: ReadonlyMap<string, RouteRow>): Serve {
    const wildcard = path.endsWith("/*");
    const tailAt = path.length - 1;
    const allow = ["OPTIONS", ...methods.keys()].join(",");
    const served = new Map([...methods].map(([method, row]) => [method as string, { row, times: this.#times(row) }]));
    const { platform } = this.#agent;
    return (request) => {
      const found = served.get(request.method);
      if (found === undefined) {
        if (request.method === "OPTIONS") return this.#dress(reply(200, ["Allow", allow], null));
        return this.#dress(textReply(405, `method ${request.method} not allowed`, ["Allow", allow]));
      }
      const { row, times } = found;
      const startedMs = platform.now();
      const { target } = request;
      const question = target.indexOf("?");
      const rawPath = question < 0 ? target : target.slice(0, question);
      try {
        const tail = wildcard ? decodeTail(rawPath.slice(tailAt)) : "";
        const context = new Context(
          this.#agent,
          request,
          new QueryString(question < 0 ? "" : target.slice(question + 1)),
          tail,
        );
        refuseEnterprise(context);
        const answer = row.handle(context);
        if (answer instanceof Promise)
          return answer.then(
            (late) => this.#answered(context, late, times, startedMs),
            (error) => this.#failed(request, error, times, startedMs),
          );
        return this.#answered(context, answer, times, startedMs);
      } catch (error) {
        return this.#failed(request, error, times, startedMs);
      }
    };
  }

  /** Where the times of a row's requests go; what the path names is an underscore, as in Consul's labels. */
  #times({ method, path }: RouteRow): Sample {
    return this.#agent.metrics.sample("api.http", "Time it takes to answer an API request, by method and path", [
      ["method", method],
      ["path", path.slice(1).replaceAll("/", ".").replace("*", "_")],
    ]);
  }

  #answered(context: Context, answer: Reply, times: Sample, startedMs: number): Reply | Promise<Reply> {
    times.add(this.#agent.platform.now() - startedMs);
    const { kept, request } = context;
    const dressed = this.#dress(answer);
    const large = isLarge(dressed);
    if (
      kept !== null &&
      request.method === "GET" &&
      request.target.length <= KEPT_TARGET_LENGTH_MAX &&
      !/[?&]index=/.test(request.target)
    )
      this.#kept.set(request.target, { reply: dressed, shared: kept.shared, times, large });
    return large && acceptsGzip(request) ? gzipped(dressed) : dressed;
  }

  #failed(request: HttpRequest, error: unknown, times: Sample, startedMs: number): Reply {
    times.add(this.#agent.platform.now() - startedMs);
    const answer = errorReply(error, (cause) => {
      const fields = { method: request.method, url: redacted(request.target), error: cause };
      this.#agent.logs.log("error", "agent.http", "request failed: this is a bug", fields);
    });
    return this.#dress(answer);
  }

  /** The reply with the headers that the operator wants on all of them. */
  #dress(answer: Reply): Reply {
    if (this.#headers.length === 0) return answer;
    let dressed = this.#dressed.get(answer);
    if (dressed === undefined) {
      dressed = { ...answer, headers: [...answer.headers, ...this.#headers] };
      this.#dressed.set(answer, dressed);
    }
    return dressed;
  }
}

type Serve = (request: HttpRequest) => Reply | Promise<Reply>;
interface PathServer {
  readonly path: string;
  readonly serve: Serve;
}

/** A path up to and with the slash before its wildcard. */
const stem = (path: string): string => (path.endsWith("/*") ? path.slice(0, -1) : path);

/** An exact path before a wildcard, a longer wildcard before a shorter one, as Go's mux has it. */
function longestMatch(servers: readonly PathServer[], otherwise: Serve): Serve {
  const exact = new Map(servers.filter(({ path }) => !path.endsWith("/*")).map(({ path, serve }) => [path, serve]));
  const wildcards = servers
    .filter(({ path }) => path.endsWith("/*"))
    .map(({ path, serve }) => ({ prefix: stem(path), serve }))
    .sort((a, b) => b.prefix.length - a.prefix.length);
  return (request) => {
    const path = pathOf(request.target);
    const found = exact.get(path) ?? wildcards.find(({ prefix }) => path.startsWith(prefix))?.serve;
    return (found ?? otherwise)(request);
  };
}

const pathOf = (target: string): string => {
  const question = target.indexOf("?");
  return question < 0 ? target : target.slice(0, question);
};

function decodeTail(raw: string): string {
  if (!raw.includes("%")) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    throw new OperationalError("invalid-request", `The path has a percent-encoding that is not UTF-8: ${raw}`);
  }
}

function byPath(rows: readonly RouteRow[]): Map<string, Map<Method, RouteRow>> {
  const paths = new Map<string, Map<Method, RouteRow>>();
  for (const row of rows) {
    const methods = paths.get(row.path) ?? new Map<Method, RouteRow>();
    methods.set(row.method, row);
    paths.set(row.path, methods);
  }
  return paths;
}

/** What is no route: it is not the API that answers, so the API's headers are not there. */
function notFound(request: HttpRequest): Reply {
  const { target } = request;
  if (pathOf(target) === "/") return plainText(200, NO_UI);
  return plainText(
    404,
    target.includes("/v1/")
      ? "Invalid URL path: not a recognized HTTP API endpoint\n"
      : "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'\n",
  );
}
const NO_UI =
  "Consul Agent: UI disabled. To enable, set ui_config.enabled=true in the agent configuration and restart.";

const plainText = (status: number, body: string): Reply => ({
  status,
  headers: ["Content-Type", TEXT, "X-Content-Type-Options", "nosniff", "Vary", "Accept-Encoding"],
  body,
});

/** Namespaces and partitions are refused by name, never ignored. */
function refuseEnterprise(context: Context): void {
  for (const [name, header, what] of ENTERPRISE) {
    if (context.request.header(header) !== null && context.request.header(header) !== "")
      throw new OperationalError(
        "invalid-request",
        `Invalid header: ${JSON.stringify(CANONICAL[header])} - ${what} are a Consul Enterprise feature`,
      );
    if (context.query.text.includes(name) && context.query.get(name))
      throw new OperationalError(
        "invalid-request",
        `Invalid query parameter: ${JSON.stringify(name)} - ${what} are a Consul Enterprise feature`,
      );
  }
}
const ENTERPRISE = [
  ["ns", "x-consul-namespace", "Namespaces"],
  ["partition", "x-consul-partition", "Partitions"],
] as const;
const CANONICAL: Record<string, string> = {
  "x-consul-namespace": "X-Consul-Namespace",
  "x-consul-partition": "X-Consul-Partition",
};
