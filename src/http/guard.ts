// Who may ask what, before anything is looked at: `http_config.block_endpoints` and `allow_write_http_from`, and what a web
// page of another site must not do with an agent that its reader can reach.
//
// A browser says which page asks (`Origin`, `Sec-Fetch-Site`); no other client does, and none of this concerns it. A page
// of another origin may write only if the operator named its origin in `http_config.response_headers` as
// `Access-Control-Allow-Origin`. And a page asks an agent over the loopback interface only under a name that is the
// machine's own: a page whose own name was made to lead to 127.0.0.1 (DNS rebinding) has the origin of what it attacks.
import type { AgentConfig } from "../config/agent-config.ts";
import { type IpNetwork, networkContains, parseIp } from "../util/ip-address.ts";
import { type Reply, textReply } from "./reply.ts";
import type { HttpRequest } from "./request.ts";

const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/i;

export class Guard {
  readonly #blocked: readonly string[];
  readonly #writers: readonly IpNetwork[];
  /** Origins that the operator lets in; `*` for all. */
  readonly #origins: ReadonlySet<string>;
  /** Names of this machine, in lower case. */
  readonly #names: ReadonlySet<string>;
  readonly #domains: readonly string[];

  constructor(config: AgentConfig) {
    const { httpConfig } = config;
    this.#blocked = httpConfig.blockEndpoints;
    this.#writers = httpConfig.allowWriteHttpFrom;
    const allowed = Object.entries(httpConfig.responseHeaders).find(
      ([name]) => name.toLowerCase() === "access-control-allow-origin",
    );
    this.#origins = new Set(allowed === undefined ? [] : [allowed[1].toLowerCase()]);
    this.#names = new Set(["localhost", config.nodeName.toLowerCase()]);
    this.#domains = [
      ".localhost",
      ...[config.domain, config.altDomain].map((domain) => `.${domain.replace(/\.$/, "").toLowerCase()}`),
    ].filter((domain) => domain !== ".");
  }

  /** The answer to a request that is refused, or null. @param path of the canonical target. */
  refusal(request: HttpRequest, path: string): Reply | null {
    if (this.#blocked.some((prefix) => path.startsWith(prefix)))
      return forbidden("Endpoint is blocked by agent configuration");
    const { method } = request;
    const unsafe = method !== "GET" && method !== "HEAD" && method !== "OPTIONS";
    if (unsafe && this.#writers.length > 0 && !this.#mayWrite(request.remoteAddress))
      return forbidden("Access is restricted");
    return this.foreignPage(request, unsafe);
  }

  /** The answer to a web page that may not ask this, or null. Cheap: every request passes here. */
  foreignPage(request: HttpRequest, unsafe: boolean): Reply | null {
    const site = request.header("sec-fetch-site");
    const origin = request.header("origin");
    if (site === null && origin === null) return null;
    const host = (request.header("host") ?? "").toLowerCase();
    const from = origin?.toLowerCase() ?? null;
    if (this.#origins.has("*") || (from !== null && this.#origins.has(from))) return null;
    if (unsafe && (from === null ? site === "cross-site" || site === "same-site" : hostOf(from) !== host))
      return forbidden(
        "Cross-origin request refused: this page may not write to the agent. See http_config.response_headers",
      );
    if (LOOPBACK.test(request.remoteAddress) && !this.#isOwn(host))
      return forbidden(
        "Host header refused: this is not a name of the agent's machine. See http_config.response_headers",
      );
    return null;
  }

  #mayWrite(address: string): boolean {
    const ip = parseIp(address.replace(/^::ffff:/i, ""));
    return ip !== null && this.#writers.some((network) => networkContains(network, ip));
  }

  #isOwn(host: string): boolean {
    const name = host.startsWith("[") ? host.slice(1, host.indexOf("]")) : host.replace(/:\d+$/, "");
    return this.#names.has(name) || parseIp(name) !== null || this.#domains.some((domain) => name.endsWith(domain));
  }
}

const hostOf = (origin: string): string => origin.slice(origin.indexOf("//") + 2);

const forbidden = (message: string): Reply => textReply(403, message);
