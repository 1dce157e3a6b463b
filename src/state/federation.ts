// What a datacenter is among others: its name for its own history, who the primary is, which prefixes of keys it takes over
// from elsewhere, and how far that has come. Consul keeps the first two in files only
// (https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/general#primary_datacenter).
// Invariant: the primary's (epoch, name) never falls, so that of two datacenters which both believe to be the primary one gives way.

import type { Federation, KVRule, KVRuleInput, Primary, ReplicationLink } from "../types/records.ts";
import type { CommandResult, FederationSet, Replicate } from "./command.ts";
import { configDelete, configSet } from "./config-entry.ts";
import { sameData, sameRecord } from "./equal.ts";
import { createOrderedMap } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";
import type { Transaction } from "./transaction.ts";

const NO_RULES: readonly KVRule[] = [];

/** The table of the one record. */
export class FederationTable {
  record: Federation | null = null;
  /** The rules by which keys carry stamps, and those whose keys are nobody's to write here. */
  twoWay: readonly KVRule[] = NO_RULES;
  copies: readonly KVRule[] = NO_RULES;

  write(_key: string, _before: Federation | null, after: Federation | null): void {
    this.record = after;
    const rules = after?.Rules ?? NO_RULES;
    this.twoWay = rules.filter(({ Mode }) => Mode === "two-way");
    this.copies = rules.filter(({ Mode }) => Mode === "one-way");
  }
}

/** The links' records; the key is the link's own (`linkKey`). */
export class LinkTable {
  readonly records: OrderedMap<ReplicationLink> = createOrderedMap<ReplicationLink>();

  write(key: string, _before: ReplicationLink | null, after: ReplicationLink | null): void {
    if (after === null) this.records.delete(key);
    else this.records.set(key, after);
  }
}

/** The key of a rule's link. */
export function linkKey({ From, Prefix, ToPrefix }: KVRuleInput): string {
  return [From, Prefix, ToPrefix].join("\u0000");
}

/** Whether a primary takes the place of another: the higher epoch does, and of equal ones the greater name. */
export function isNewer(primary: Primary, than: Primary | null): boolean {
  if (than === null) return true;
  if (primary.Epoch !== than.Epoch) return primary.Epoch > than.Epoch;
  return primary.Datacenter > than.Datacenter;
}

/** Writes what the command says that is new; false when nothing is. */
export function federationSet(tx: Transaction, command: FederationSet): boolean {
  const before = tx.tables.federation.record;
  const { primary, rules } = command;
  const known = before?.Primary ?? null;
  const after: Federation = {
    Datacenter: command.datacenter,
    StoreID: before?.StoreID || (command.storeId ?? ""),
    RestoredIndex: before?.RestoredIndex ?? 0,
    Primary: primary !== undefined && isNewer(primary, known) ? primary : known,
    Rules: rules === undefined ? (before?.Rules ?? []) : begun(rules, before?.Rules ?? [], tx.index),
    ForgottenIndex: before?.ForgottenIndex ?? 0,
    CreateIndex: before?.CreateIndex ?? tx.index,
    ModifyIndex: tx.index,
  };
  if (before !== null && sameRecord(before, after)) return false;
  tx.write({ table: "federation", key: "", before, after });
  if (rules !== undefined) forgetOthers(tx, after.Rules);
  return true;
}

/** The rules with the index at which each began. */
function begun(rules: readonly KVRuleInput[], before: readonly KVRule[], index: number): KVRule[] {
  return rules.map((rule) => {
    const old = before.find((known) => sameData({ ...known, Since: 0 }, { ...rule, Since: 0 }));
    return old ?? { ...rule, Since: index };
  });
}

/** Drops the links and stamps that no rule needs any more. */
function forgetOthers(tx: Transaction, rules: readonly KVRule[]): void {
  const { links, stamps } = tx.tables;
  const keys = new Set(rules.map(linkKey));
  for (const [key, before] of links.records.snapshot().scan())
    if (!keys.has(key) || rules.some((rule) => linkKey(rule) === key && rule.Since === tx.index))
      tx.write({ table: "links", key, before, after: null });
  const prefixes = rules.filter(({ Mode }) => Mode === "two-way").map(({ Prefix }) => Prefix);
  for (const [key, before] of stamps.records.snapshot().scan())
    if (!prefixes.some((prefix) => key.startsWith(prefix))) tx.write({ table: "stamps", key, before, after: null });
}

/**
 * Notes that the store came from a snapshot: whoever follows it must look at all of it again. What a move of the primary has
 * said since the snapshot was taken, in the store that was there `until` now, still counts.
 */
export function federationRestored(tx: Transaction, until: Federation | null): void {
  const before = tx.tables.federation.record;
  const primary = until?.Primary ?? null;
  if (before === null && primary === null) return;
  const known = before?.Primary ?? null;
  const after: Federation = {
    Datacenter: until?.Datacenter ?? before?.Datacenter ?? "",
    StoreID: before?.StoreID ?? "",
    RestoredIndex: tx.index,
    Primary: primary !== null && isNewer(primary, known) ? primary : known,
    Rules: before?.Rules ?? [],
    ForgottenIndex: before?.ForgottenIndex ?? 0,
    CreateIndex: before?.CreateIndex ?? tx.index,
    ModifyIndex: tx.index,
  };
  tx.write({ table: "federation", key: "", before, after });
}

/** Takes over what the primary has. */
export function replicate(tx: Transaction, command: Replicate): CommandResult {
  const known = tx.tables.federation.record?.Primary ?? null;
  const isOwn = known !== null && known.Datacenter === tx.tables.federation.record?.Datacenter;
  if ((known?.Epoch ?? 0) !== command.epoch || isOwn) return { ok: true, value: false };
  for (const each of command.commands) {
    if (each.type === "config.delete") configDelete(tx, each.kind, each.name, null);
    else {
      const outcome = configSet(tx, each.entry, null);
      if (typeof outcome !== "boolean") return { ok: false, error: outcome };
    }
  }
  if (command.primary !== null) {
    const datacenter = tx.tables.federation.record?.Datacenter ?? command.primary.Datacenter;
    federationSet(tx, { type: "federation.set", datacenter, primary: command.primary });
  }
  return { ok: true, value: true };
}
