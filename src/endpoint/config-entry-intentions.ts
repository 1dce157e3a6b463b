// The rules of `service-intentions`: who may reach whom.
import { quote } from "../util/quote.ts";
import { checkHttpMatch, type EntryFields, type HttpMatch, items, WILDCARD } from "./config-entry-rule.ts";

interface Source {
  Name: string;
  Action?: string;
  Permissions?: { Action: string; HTTP?: HttpMatch; JWT?: unknown }[];
  Precedence: number;
  Type: string;
  Peer?: string;
}

/** How much an intention counts: by whether its destination and its source are named or any. */
const precedence = (destination: string, source: string): number =>
  destination === WILDCARD ? (source === WILDCARD ? 5 : 6) : source === WILDCARD ? 8 : 9;

/** Fills in type and precedence, and orders the sources by it, as Consul shows them. */
export function completeIntentions(entry: EntryFields): void {
  const sources = items<Source>(entry, "Sources");
  for (const source of sources) {
    if (source.Type === "") source.Type = "consul";
    source.Precedence = precedence(entry.Name, source.Name);
  }
  sources.sort((a, b) => b.Precedence - a.Precedence || (a.Name < b.Name ? -1 : a.Name > b.Name ? 1 : 0));
}

const partlyWild = (name: string): boolean => name !== WILDCARD && name.includes(WILDCARD);

/** Sources named once each, with an action or with permissions. */
export function checkIntentions(entry: EntryFields, faults: string[]): void {
  if (partlyWild(entry.Name)) faults.push("Name: wildcard character '*' cannot be used with partial values");
  const sources = items<Source>(entry, "Sources");
  if (sources.length === 0) faults.push("At least one source is required");
  const seen = new Set<string>();
  for (const [at, source] of sources.entries()) {
    const where = `Sources[${at}]`;
    const { Name, Action = "", Permissions = [], Type, Peer = "" } = source;
    if (Name === "") faults.push(`${where}.Name is required`);
    if (partlyWild(Name)) faults.push(`${where}.Name: wildcard character '*' cannot be used with partial values`);
    if (Type !== "consul") faults.push(`${where}.Type must be set to 'consul'`);
    if (Permissions.length > 0) {
      if (Action !== "") faults.push(`${where}.Action must be omitted if Permissions are specified`);
      if (entry.Name === WILDCARD)
        faults.push(`${where}.Permissions cannot be specified with intentions with wildcarded destinations`);
    } else if (Action !== "allow" && Action !== "deny") faults.push(`${where}.Action must be set to 'allow' or 'deny'`);
    for (const [index, permission] of Permissions.entries()) {
      const place = `${where}.Permissions[${index}]`;
      if (permission.Action !== "allow" && permission.Action !== "deny")
        faults.push(`${place}.Action must be set to 'allow' or 'deny'`);
      if (permission.HTTP === undefined && permission.JWT === undefined)
        faults.push(`${place}.HTTP or ${place}.JWT is required`);
      if (permission.HTTP !== undefined) checkHttpMatch(permission.HTTP, `${place}.HTTP`, faults);
    }
    const id = `${Peer}/${Name}`;
    if (seen.has(id)) faults.push(`${where} defines ${quote(Name)} more than once`);
    seen.add(id);
  }
}
