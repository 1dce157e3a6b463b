// Who may be in the pool: merge rules, networks, versions.
import type { IpNetwork } from "../util/ip-address.ts";
import { networkContains, parseIp } from "../util/ip-address.ts";
import type { MemberTable } from "./member-table.ts";
import type { MemberRecord, MergeRule, Versions } from "./types.ts";

/** Why a member may not be in the pool. */
export interface Veto {
  reason: "vetoed" | "protocol" | "address";
  text: string;
}

/** The host of `host:port`, `[host]:port` or `host`. */
export function hostOf(address: string): string {
  if (address.startsWith("[")) return address.slice(1, Math.max(1, address.indexOf("]")));
  const colon = address.indexOf(":");
  // A bare IPv6 address has more than one colon.
  return colon < 0 || colon !== address.lastIndexOf(":") ? address : address.slice(0, colon);
}

/** True when the address is in one of the networks; no list allows all. */
export function isAllowedAddress(address: string, networks: readonly IpNetwork[] | null): boolean {
  if (networks === null) return true;
  const ip = parseIp(hostOf(address));
  return ip !== null && networks.some((network) => networkContains(network, ip));
}

/** True when each understands what the other speaks. */
export function versionsMeet(a: Versions, b: Versions): boolean {
  const understands = (one: Versions, other: Versions): boolean =>
    other.protocolCurrent >= one.protocolMin &&
    other.protocolCurrent <= one.protocolMax &&
    other.delegateCurrent >= one.delegateMin &&
    other.delegateCurrent <= one.delegateMax;
  return understands(a, b) && understands(b, a);
}

/** The rule that `record` breaks, as text; null when it breaks none. `others`: rows that want in at the same time. */
function brokenRule(
  record: MemberRecord,
  rules: readonly MergeRule[],
  table: MemberTable,
  others: readonly MemberRecord[],
  isJoin: boolean,
): string | null {
  for (const rule of rules) {
    const value = record.tags[rule.tag] ?? "";
    let other = "";
    if (rule.type === "one-of") {
      if (rule.values.includes(value)) continue;
    } else if (rule.type === "agree") {
      if (value === "" || !isJoin) continue;
      const isStranger = ({ name, tags }: MemberRecord): boolean =>
        name !== record.name && (tags[rule.tag] ?? value) !== value && tags[rule.within] === record.tags[rule.within];
      const stranger =
        table.all.find(({ state, record: one }) => (state === "alive" || state === "suspect") && isStranger(one))
          ?.record ?? others.find(isStranger);
      if (stranger === undefined) continue;
      other = stranger.name;
    } else {
      const isTwin = (one: MemberRecord): boolean => one.name !== record.name && one.tags[rule.tag] === value;
      const twin =
        value === ""
          ? undefined
          : (table.all.find((member) => member.state !== "left" && isTwin(member.record))?.record ??
            others.find(isTwin));
      if (twin === undefined) continue;
      other = twin.name;
    }
    const within = rule.type === "agree" ? (record.tags[rule.within] ?? "") : "";
    const fill: Record<string, string> = { name: record.name, value, other, within };
    return rule.message.replaceAll(/\{(name|value|other|within)\}/g, (_, key: string) => fill[key] as string);
  }
  return null;
}

/** What the pool's rules are checked with. */
export interface Admission {
  readonly versions: Versions;
  readonly mergeRules: readonly MergeRule[];
  readonly allowedNetworks: readonly IpNetwork[] | null;
  readonly table: MemberTable;
}

/** Why `record` may not be a member, or null. `isJoin`: whoever brings it joins, with all that `others` are. */
export function vetoOf(
  record: MemberRecord,
  admission: Admission,
  others: readonly MemberRecord[] = [],
  isJoin = false,
): Veto | null {
  const { name, address } = record;
  if (address !== "" && !isAllowedAddress(address, admission.allowedNetworks)) {
    return { reason: "address", text: `Member '${name}' has an address that is not allowed: ${address}` };
  }
  if (!versionsMeet(record.versions, admission.versions)) {
    const { protocolMin, protocolMax, protocolCurrent } = record.versions;
    const text =
      `Member '${name}' speaks protocol ${protocolCurrent} and understands ${protocolMin} to ${protocolMax}: ` +
      "run the same version of the program on both";
    return { reason: "protocol", text };
  }
  const text = brokenRule(record, admission.mergeRules, admission.table, others, isJoin);
  return text === null ? null : { reason: "vetoed", text };
}
