// The Worker in front of the objects: lets in who knows the secret, and hands each request to the object of its datacenter.
import { refusalOf } from "./guard.ts";
import { DATACENTER_HEADER } from "./peers.ts";
import { datacentersOf, type Environment } from "./settings.ts";

/** Says that the Worker is there. It asks no object, so it costs nothing and tells nothing. */
const LIVENESS_PATH = "/livez";
const ALLOWED_HEADERS = "Authorization, Content-Type, X-Consul-Index, X-Consul-Token";
/** Headers by which the secret comes: the agent would take it for a token of its own, and keep it. */
const SECRET_HEADERS = ["x-consul-token", "authorization"];

/** Answers one request. */
export async function answer(request: Request, environment: Environment): Promise<Response> {
  const url = new URL(request.url);
  if (url.pathname === LIVENESS_PATH) return new Response("ok\n");
  const origin = environment.CORS_ORIGIN ?? "";
  // A browser asks whether it may ask, and sends no secret with that.
  if (origin !== "" && request.method === "OPTIONS" && request.headers.has("access-control-request-method"))
    return preflight(origin);
  const refusal = await refusalOf(request, environment);
  if (refusal !== null) {
    if (origin !== "") refusal.headers.set("Access-Control-Allow-Origin", origin);
    return refusal;
  }
  const datacenter = datacenterOf(url, environment);
  const { DATACENTER: objects, LOCATION_HINT: locationHint = "" } = environment;
  const inner = new Request(withoutToken(url, request), request);
  for (const name of SECRET_HEADERS) inner.headers.delete(name);
  inner.headers.set(DATACENTER_HEADER, datacenter);
  return objects.get(objects.idFromName(datacenter), locationHint === "" ? {} : { locationHint }).fetch(inner);
}

/**
 * Which of the datacenters is asked: the one that `?dc=` names, else the one that the host's first label names, else the
 * first. Only names of the list make objects; another `?dc=` is for the agent to know.
 */
function datacenterOf({ hostname, searchParams }: URL, environment: Environment): string {
  const known = datacentersOf(environment);
  const asked = [searchParams.get("dc") ?? "", hostname.split(".")[0] ?? ""].find((name) => known.includes(name));
  return asked ?? known[0];
}

/** The same URL, as it was written, when the secret is not in it. */
function withoutToken(url: URL, request: Request): string {
  if (!url.searchParams.has("token")) return request.url;
  url.searchParams.delete("token");
  return url.href;
}

const preflight = (origin: string): Response =>
  new Response(null, {
    status: 204,
    headers: {
      "Access-Control-Allow-Origin": origin,
      "Access-Control-Allow-Methods": "GET, PUT, POST, DELETE",
      "Access-Control-Allow-Headers": ALLOWED_HEADERS,
      "Access-Control-Max-Age": "86400",
      Vary: "Origin",
    },
  });
