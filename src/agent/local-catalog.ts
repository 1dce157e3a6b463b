// The catalog as the agent's own parts ask it: through the one door of requests, like everybody else.
import { catalogDeregister, catalogNodeServices, catalogRegister } from "../endpoint/catalog.ts";
import { healthNode } from "../endpoint/health.ts";
import type { QueryOptions } from "../rpc/authority.ts";
import type { Route } from "../rpc/route.ts";
import type { CatalogClient } from "./anti-entropy.ts";
import type { AliasQuery } from "./check-runner.ts";

/** How long an alias waits for its node's checks to change. */
const ALIAS_WAIT_MS = 60_000;
const NOW: QueryOptions = { consistency: "default", index: 0, waitMs: 0 };
const allChecksOf = (node: string) => ({ of: node, nodeMeta: [], filter: "", near: "" });

/** The catalog for anti-entropy. */
export function catalogClient(route: Route): CatalogClient {
  return {
    async nodeServices(node) {
      const { shared } = await route.query(catalogNodeServices, { node, filter: "" }, NOW, "");
      const { value } = shared.read;
      return value === null ? null : { node: value.Node, services: [...value.Services] };
    },
    async nodeChecks(node) {
      const { shared } = await route.query(healthNode, allChecksOf(node), NOW, "");
      return [...shared.read.value];
    },
    async register(request) {
      await route.command(catalogRegister, request, "");
    },
    async deregister(request) {
      await route.command(catalogDeregister, request, "");
    },
  };
}

/** The catalog for alias checks. */
export function aliasQuery(route: Route): AliasQuery {
  return {
    async nodeChecks(node, index, signal) {
      const onGone = (gone: () => void): (() => void) => {
        signal.addEventListener("abort", gone, { once: true });
        return () => signal.removeEventListener("abort", gone);
      };
      const answer = await route.query(
        healthNode,
        allChecksOf(node),
        { consistency: "default", index, waitMs: ALIAS_WAIT_MS, onGone },
        "",
      );
      return { index: answer.index, checks: answer.shared.read.value };
    },
    async hasService(node, serviceId) {
      const { shared } = await route.query(catalogNodeServices, { node, filter: "" }, NOW, "");
      return shared.read.value?.Services.some(({ ID }) => ID === serviceId) ?? false;
    },
  };
}
