// Who may ask at all: one secret of the Worker, sent as `X-Consul-Token`, as a bearer token or as `?token=`, opens everything.
// Without one nothing is open, so that nobody deploys a control plane for all the world by mistake; `wrangler dev`, which
// only this machine reaches, needs none.
import { equal, utf8 } from "../../src/util/bytes.ts";
import type { Environment } from "./settings.ts";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);
const TO_DO =
  "This datacenter is closed: no secret is set.\n" +
  "Set one with `npx wrangler secret put PROCONSUL_TOKEN`, and send it as X-Consul-Token (or CONSUL_HTTP_TOKEN of the command).\n";

/** Why a request is refused; null when it may pass. */
export async function refusalOf(request: Request, { PROCONSUL_TOKEN: secret }: Environment): Promise<Response | null> {
  if (secret === undefined || secret === "") return isLocal(request) ? null : refused(TO_DO);
  const given = tokenOf(request);
  if (given === null) return refused("Permission denied: the secret of this datacenter is missing (X-Consul-Token)\n");
  return (await isSame(given, secret))
    ? null
    : refused("Permission denied: this is not the secret of this datacenter\n");
}

/** A request that came over no network: Cloudflare's edge marks all that it lets in. */
function isLocal(request: Request): boolean {
  return !request.headers.has("cf-ray") && LOOPBACK.has(new URL(request.url).hostname);
}

function tokenOf(request: Request): string | null {
  const header = request.headers.get("x-consul-token");
  if (header !== null && header !== "") return header;
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  return bearer ?? new URL(request.url).searchParams.get("token");
}

/** Takes as long whatever they have in common. */
async function isSame(given: string, secret: string): Promise<boolean> {
  const [a, b] = await Promise.all([given, secret].map((text) => crypto.subtle.digest("SHA-256", utf8(text))));
  return equal(new Uint8Array(a as ArrayBuffer), new Uint8Array(b as ArrayBuffer));
}

const refused = (why: string): Response =>
  new Response(why, { status: 403, headers: { "Content-Type": "text/plain; charset=utf-8" } });
