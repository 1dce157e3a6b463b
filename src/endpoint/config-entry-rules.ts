// What an entry of each kind must say, in Consul's words where they are known, and what is filled in for what is left out:
// https://developer.hashicorp.com/consul/docs/reference/config-entry. What an entry may say beside others is in
// config-entry-chain.ts.
import type { UserMap } from "../types/records.ts";
import { quote } from "../util/quote.ts";
import { listed } from "./config-entry-fields.ts";
import * as gateways from "./config-entry-gateways.ts";
import * as intentions from "./config-entry-intentions.ts";
import type { ConfigEntryKind } from "./config-entry-kinds.ts";
import type { EntryCheck, EntryFields } from "./config-entry-rule.ts";
import * as services from "./config-entry-services.ts";

/** Fills in what Consul fills in; may write to the entry, which nobody else holds yet. @throws Error in Consul's words. */
export function completeEntry(kind: ConfigEntryKind, entry: EntryFields): void {
  const only = ONLY_NAMES[kind];
  if (only !== undefined) {
    if (entry.Name !== "" && entry.Name !== only)
      throw new Error(`invalid name (${quote(entry.Name)}), only ${quote(only)} is supported`);
    entry.Name = only;
  }
  COMPLETE[kind]?.(entry);
}

/** Kinds of which there is one entry, under this name. */
const ONLY_NAMES: Partial<Record<ConfigEntryKind, string>> = { "proxy-defaults": "global", mesh: "mesh" };

/** @throws Error that says all that is wrong with the entry by itself. */
export function checkEntry(kind: ConfigEntryKind, entry: EntryFields): void {
  if (entry.Name === "") throw new Error("Name is required");
  const faults = metaFaults(entry["Meta"] as UserMap | undefined);
  CHECK[kind]?.(entry, faults);
  if (faults.length > 0) throw new Error(listed(faults));
}

const META_PAIRS_MAX = 64;
const META_KEY_MAX = 128;
const META_VALUE_MAX = 512;

function metaFaults(meta: UserMap | undefined): string[] {
  const faults: string[] = [];
  const pairs = Object.entries(meta ?? {});
  if (pairs.length > META_PAIRS_MAX) faults.push(`Meta exceeds maximum element count ${META_PAIRS_MAX}`);
  for (const [key, value] of pairs) {
    if (key.length > META_KEY_MAX) faults.push(`Meta key ${quote(key)} exceeds maximum length ${META_KEY_MAX}`);
    if (value.length > META_VALUE_MAX)
      faults.push(`Meta value for key ${quote(key)} exceeds maximum length ${META_VALUE_MAX}`);
  }
  return faults;
}

const COMPLETE: Partial<Record<ConfigEntryKind, (entry: EntryFields) => void>> = {
  "service-intentions": intentions.completeIntentions,
  "service-router": services.completeRouter,
  "service-splitter": services.completeSplitter,
  "ingress-gateway": gateways.completeIngress,
  "api-gateway": gateways.completeApiGateway,
  "http-route": gateways.completeHttpRoute,
  "tcp-route": gateways.completeTcpRoute,
  "jwt-provider": gateways.completeJwtProvider,
};

const CHECK: Partial<Record<ConfigEntryKind, EntryCheck>> = {
  "service-defaults": services.checkServiceDefaults,
  "proxy-defaults": services.checkProxyDefaults,
  "service-intentions": intentions.checkIntentions,
  "service-router": services.checkRouter,
  "service-splitter": services.checkSplitter,
  "service-resolver": services.checkResolver,
  "ingress-gateway": gateways.checkIngress,
  "terminating-gateway": gateways.checkTerminating,
  "exported-services": gateways.checkExported,
  "api-gateway": gateways.checkApiGateway,
  "http-route": gateways.checkHttpRoute,
  "tcp-route": gateways.checkTcpRoute,
  "inline-certificate": gateways.checkInlineCertificate,
  "jwt-provider": gateways.checkJwtProvider,
};
