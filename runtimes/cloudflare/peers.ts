// Calls between an object and other datacenters: web requests alone, at the gateway of each (`remote_datacenters`). The objects
// of one Worker know each other without being told, and call each other without leaving it.
import type { Peers } from "../../src/platform.ts";
import type { RunningAgent } from "../../src/index.ts";
import { OperationalError } from "../../src/types/error.ts";
import type { ObjectNamespace } from "./object-state.ts";

/** What one call may carry: the memory of an object is 128 MB. */
const CALL_BYTES_MAX = 32 * 1024 * 1024;
const PREFIXES = ["/rpc/", "/raft/", "/gossip/"];
/** The end of the hosts by which the objects of one Worker name each other. */
const OBJECT_HOST = ".object.internal";

/** By which the Worker, and other objects of it, tell an object its datacenter. */
export const DATACENTER_HEADER = "x-proconsul-datacenter";

/** What agents call; the API has other paths. */
export const isCallPath = (path: string): boolean => PREFIXES.some((prefix) => path.startsWith(prefix));

/** Answers one call of another datacenter, which the Worker has let in; `from` is the address that it comes from. */
export async function serveCall(
  gateway: RunningAgent["gateway"],
  request: Request,
  path: string,
  from: string,
): Promise<Response> {
  if (request.method !== "POST") return new Response(null, { status: 405, headers: { Allow: "POST" } });
  const refusal = gateway.refusal(path, null, from);
  if (refusal !== null) return new Response(null, { status: refusal });
  if (Number(request.headers.get("content-length") ?? 0) > CALL_BYTES_MAX) return new Response(null, { status: 413 });
  const answer = await gateway.handle(path, new Uint8Array(await request.arrayBuffer()), from);
  return new Response(answer as Uint8Array<ArrayBuffer>, { headers: { "Content-Type": "application/octet-stream" } });
}

/** Where the object of a datacenter is called by the others of its Worker. */
export const objectAddress = (datacenter: string): string => `https://${datacenter}${OBJECT_HOST}`;

/** Sends a request to another object of this Worker, if it is for one; null when it is not. */
export function toObject(objects: ObjectNamespace, request: Request): Promise<Response> | null {
  const { hostname } = new URL(request.url);
  if (!hostname.endsWith(OBJECT_HOST)) return null;
  const datacenter = hostname.slice(0, -OBJECT_HOST.length);
  const inner = new Request(request);
  inner.headers.set(DATACENTER_HEADER, datacenter);
  return objects.get(objects.idFromName(datacenter)).fetch(inner);
}

/** An object is the only agent of its datacenter: there is nobody to call but gateways, which are called by `fetch`. */
export const noPeers: Peers = {
  call: (address) =>
    Promise.reject(
      new OperationalError("unreachable", `${address}: only gateways of other datacenters can be called from here`),
    ),
};
