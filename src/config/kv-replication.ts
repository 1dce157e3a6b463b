// `kv_replication`, which Consul has not (it has a daemon of its own for one-way copies, consul-replicate): the prefixes of keys that
// a datacenter takes over from others.
import type { KVRuleInput } from "../types/records.ts";
import { quote } from "../util/quote.ts";
import type { RawObject } from "./raw-value.ts";

const KEYS: ReadonlySet<string> = new Set(["from", "prefix", "to_prefix", "mode", "conflict"]);

/** The rules as they are written; what is wrong with one goes to `errors`. */
export function kvReplicationOf(blocks: readonly RawObject[], datacenter: string, errors: string[]): KVRuleInput[] {
  const rules: KVRuleInput[] = [];
  for (const [at, block] of blocks.entries()) {
    const fault = (what: string): void => void errors.push(`kv_replication[${at}]: ${what}`);
    const before = errors.length;
    for (const key of Object.keys(block)) if (!KEYS.has(key)) fault(`invalid config key ${quote(key)}`);
    const text = (key: string): string => {
      const value = block[key] ?? "";
      if (typeof value !== "string") fault(`${key} must be a text`);
      return typeof value === "string" ? value : "";
    };
    const from = text("from").toLowerCase();
    const prefix = text("prefix");
    const toPrefix = text("to_prefix") || prefix;
    const mode = text("mode") || "one-way";
    const conflict = text("conflict");
    if (errors.length > before) continue;
    if (from === "") fault("from must name a datacenter");
    if (from === datacenter) fault(`from is this datacenter itself, ${quote(datacenter)}`);
    if (prefix === "")
      fault("prefix must not be empty: the whole store holds locks and what belongs to one datacenter");
    if (prefix.startsWith("/") || toPrefix.startsWith("/")) fault("keys do not begin with a slash");
    if (mode !== "one-way" && mode !== "two-way") {
      fault(`mode must be "one-way" or "two-way", not ${quote(mode)}`);
      continue;
    }
    if (mode === "two-way" && toPrefix !== prefix) fault("to_prefix must be the prefix itself where both sides write");
    if (mode === "one-way" && conflict !== "") fault("conflict has no meaning in a copy, which nobody else writes");
    if (mode === "two-way" && conflict !== "" && conflict !== "newest")
      fault(`conflict must be "newest", not ${quote(conflict)}`);
    const rule: KVRuleInput = { From: from, Prefix: prefix, ToPrefix: toPrefix, Mode: mode };
    if (errors.length > before) continue;
    const clash = rules.find((other) => isClash(rule, other));
    if (clash === undefined) rules.push(rule);
    else fault(`${quote(toPrefix)} overlaps with ${quote(clash.ToPrefix)} from ${clash.From}`);
  }
  return rules;
}

/** Only several two-way rules of one prefix, from different datacenters, go together. */
function isClash(rule: KVRuleInput, other: KVRuleInput): boolean {
  if (!rule.ToPrefix.startsWith(other.ToPrefix) && !other.ToPrefix.startsWith(rule.ToPrefix)) return false;
  const isTwoWay = rule.Mode === "two-way" && other.Mode === "two-way";
  return !isTwoWay || rule.ToPrefix !== other.ToPrefix || rule.From === other.From;
}
