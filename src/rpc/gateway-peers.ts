// Calls to datacenters that are reached by one address alone, by web requests: `POST https://host[:port]<path>`, bytes there and
// bytes back, with the gateway's token. What is sealed between agents of one key is not here: TLS sees to it. All other
// addresses are called as before.
import type { Timers } from "../host/timers.ts";
import type { Peers, Platform } from "../platform.ts";
import { OperationalError } from "../types/error.ts";

/** What it works with. */
export interface GatewayPeersOptions {
  /** The way to all other agents. */
  readonly others: Peers;
  readonly fetch: Platform["fetch"];
  readonly timers: Timers;
  /** The token for an address, "" for none; null for one that is no gateway. */
  token(address: string): string | null;
}

/** Said of a connection that never stood: nothing can have arrived. */
const UNSENT =
  /ECONNREFUSED|ConnectionRefused|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|CONNECT_TIMEOUT|Connection refused|Unable to connect|dns error|connect error|certificate|CERT_|SELF_SIGNED|ERR_TLS|ERR_SSL/i;
const UNAUTHORIZED = 401;
const FORBIDDEN = 403;
const NOT_FOUND = 404;
const REDIRECTS = 300;

/** The way to agents and to gateways. */
export class GatewayPeers implements Peers {
  readonly #options: GatewayPeersOptions;

  constructor(options: GatewayPeersOptions) {
    this.#options = options;
  }

  /** @throws as `Peers.call`. */
  call(address: string, path: string, body: Uint8Array, timeoutMs: number, sending?: () => void): Promise<Uint8Array> {
    const { others, token } = this.#options;
    const secret = address.startsWith("http") ? token(address) : null;
    return secret === null
      ? others.call(address, path, body, timeoutMs, sending)
      : this.#post(address, path, body, timeoutMs, secret);
  }

  /** The answer within this time. That a fetch ends when it is aborted is not relied on: its request may be collected before. */
  #post(address: string, path: string, body: Uint8Array, timeoutMs: number, token: string): Promise<Uint8Array> {
    const { timers } = this.#options;
    const controller = new AbortController();
    return new Promise((resolve, reject) => {
      const timer = timers.after(timeoutMs, () => {
        reject(new OperationalError("timeout", `${address}: no answer in time`));
        controller.abort();
      });
      this.#fetch(address, path, body, token, controller.signal)
        .finally(() => timers.cancel(timer))
        .then(resolve, reject);
    });
  }

  async #fetch(
    address: string,
    path: string,
    body: Uint8Array,
    token: string,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    try {
      const response = await this.#options.fetch(
        new Request(`${address}${path}`, {
          method: "POST",
          headers: {
            "Content-Type": "application/octet-stream",
            ...(token === "" ? {} : { Authorization: `Bearer ${token}` }),
          },
          body: body as Uint8Array<ArrayBuffer>,
          redirect: "manual",
          signal,
        }),
      );
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.ok) return bytes;
      throw refusal(address, response.status);
    } catch (error) {
      if (error instanceof OperationalError) throw error;
      const said = wordsOf(error);
      const code = UNSENT.test(said) ? "unreachable" : "outcome-unknown";
      throw new OperationalError(code, `${address}: ${said}`, { cause: error });
    }
  }
}

/** What a status says that is no answer of an agent. */
function refusal(address: string, status: number): OperationalError {
  if (status === UNAUTHORIZED || status === FORBIDDEN)
    return new OperationalError(
      "unreachable",
      `${address}: it answered ${status}: its gateway_token and the token of remote_datacenters here must be the same`,
    );
  if (status === NOT_FOUND || (status >= REDIRECTS && status < 400))
    return new OperationalError(
      "unreachable",
      `${address}: it answered ${status}: no gateway of a datacenter is there`,
    );
  // A proxy on the way may have passed the request on before it failed.
  return new OperationalError("outcome-unknown", `${address}: it answered ${status}`);
}

/** Messages and codes of an error and of what caused it, which is where runtimes say what was wrong. */
function wordsOf(error: unknown): string {
  const words = new Set<string>();
  let inner = error;
  while (inner instanceof Error) {
    if (inner.message !== "") words.add(inner.message);
    const { code } = inner as Error & { code?: unknown };
    if (typeof code === "string" && ![...words].some((word) => word.includes(code))) words.add(code);
    inner = inner.cause;
  }
  return [...words].join(": ");
}
