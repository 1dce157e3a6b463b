// The door of a datacenter for others that reach it by one address alone (`ports.gateway`): what they may call, and the token that
// they must show. What comes in here is not sealed: the proxy that ends TLS in front of it, or the runtime, sees to that.
import { OperationalError } from "../types/error.ts";
import { utf8 } from "../util/bytes.ts";
import { FORWARD_PATH, PING_PATH } from "./call.ts";
import { encodeError } from "./envelope.ts";
import type { PeerDoor } from "./peer-door.ts";
import type { RefusalLog } from "./refusal-log.ts";

/** What it works with. */
export interface GatewayDoorOptions {
  readonly door: PeerDoor;
  /** What a caller must show; "" when anybody may call. */
  readonly token: string;
  /** Further paths, beside those of requests and pings. */
  readonly paths: readonly string[];
  readonly refusals: RefusalLog;
}

const UNAUTHORIZED = 401;
const NOT_FOUND = 404;

/** The way in for other datacenters. */
export class GatewayDoor {
  readonly #options: GatewayDoorOptions;
  readonly #paths: ReadonlySet<string>;
  readonly #shown: Uint8Array;

  constructor(options: GatewayDoorOptions) {
    this.#options = options;
    this.#paths = new Set([FORWARD_PATH, PING_PATH, ...options.paths]);
    this.#shown = utf8(`Bearer ${options.token}`);
  }

  /**
   * The HTTP status with which a call is to be refused before its body is read; null when it may come in.
   * @param authorization the header of that name, or null.
   * @param from the IP address that it comes from.
   */
  refusal(path: string, authorization: string | null, from: string): number | null {
    const { token, refusals } = this.#options;
    if (!this.#paths.has(path)) return NOT_FOUND;
    if (token === "" || isSame(utf8(authorization ?? ""), this.#shown)) return null;
    refusals.note(
      from,
      authorization === null
        ? "a call to the gateway without a token: set that of remote_datacenters there to the gateway_token here"
        : "a call to the gateway with another token than gateway_token",
    );
    return UNAUTHORIZED;
  }

  /** Answers a call that may come in, from an IP address. Errors are answers too: it never rejects. */
  handle(path: string, bytes: Uint8Array, from: string): Promise<Uint8Array> {
    if (this.#paths.has(path)) return this.#options.door.handle(path, bytes, from);
    const error = new OperationalError("unsupported", `a gateway answers no calls to ${path}`);
    return Promise.resolve(encodeError(error));
  }
}

/** Takes the same time wherever they differ. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let differing = a.length ^ b.length;
  for (const [at, byte] of b.entries()) differing |= byte ^ (a[at] ?? 0);
  return differing === 0;
}
