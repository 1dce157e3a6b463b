// The parameters that narrow and order lists, read from a request.
import type { ServiceArgs } from "../endpoint/catalog.ts";
import type { Narrowing } from "../endpoint/narrowing.ts";
import type { Context } from "./context.ts";

const ALL: Narrowing = { nodeMeta: [], filter: "", near: "" };

/** `?node-meta` (repeated), `?filter` and `?near`. */
export function narrowingOf(c: Context): Narrowing {
  const { query } = c;
  if (query.text === "") return ALL;
  const near = query.get("near") ?? "";
  return {
    nodeMeta: query.all("node-meta").map((pair): [string, string] => {
      const colon = pair.indexOf(":");
      return colon < 0 ? [pair, ""] : [pair.slice(0, colon), pair.slice(colon + 1)];
    }),
    filter: query.get("filter") ?? "",
    near: near === "_agent" ? c.agent.config.nodeName : near,
  };
}

/** The tail is a service; `?tag` may be repeated, and each must be there. */
export function serviceArgs(c: Context, connect: boolean): ServiceArgs {
  const service = c.requireTail("Missing service name");
  return { ...narrowingOf(c), service, connect, tags: c.query.text === "" ? [] : c.query.all("tag") };
}
