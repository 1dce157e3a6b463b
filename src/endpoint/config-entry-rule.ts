// What the rules of several kinds of configuration entries share.
import type { UserMap } from "../types/records.ts";
import { quote } from "../util/quote.ts";

/** An entry's fields as config-entry-kinds.ts reads them. */
export type EntryFields = UserMap<unknown> & { Kind: string; Name: string };

/** Checks one kind; what is wrong is added to `faults`. */
export type EntryCheck = (entry: EntryFields, faults: string[]) => void;

/** Stands for every service. */
export const WILDCARD = "*";

/** The items of a list field; none when it is absent. */
export const items = <T>(entry: UserMap<unknown>, name: string): T[] => (entry[name] ?? []) as T[];

/** How a request is told by its path, headers and method. */
export interface HttpMatch {
  PathExact?: string;
  PathPrefix?: string;
  PathRegex?: string;
  Header?: ({ Name: string } & Record<string, unknown>)[];
  Methods?: string[];
}

const HEADER_MATCHES = ["Present", "Exact", "Prefix", "Suffix", "Contains", "Regex"] as const;

/** The rules that router and intentions have in common. */
export function checkHttpMatch(
  { PathExact = "", PathPrefix = "", PathRegex = "", Header = [], Methods = [] }: HttpMatch,
  where: string,
  faults: string[],
): void {
  if ([PathExact, PathPrefix, PathRegex].filter((path) => path !== "").length > 1)
    faults.push(`${where} should only contain at most one of PathExact, PathPrefix, or PathRegex`);
  if (PathExact !== "" && !PathExact.startsWith("/"))
    faults.push(`${where}.PathExact doesn't start with '/': ${quote(PathExact)}`);
  if (PathPrefix !== "" && !PathPrefix.startsWith("/"))
    faults.push(`${where}.PathPrefix doesn't start with '/': ${quote(PathPrefix)}`);
  for (const [at, header] of Header.entries()) {
    if (header.Name === "") faults.push(`${where}.Header[${at}] missing required Name field`);
    if (HEADER_MATCHES.filter((match) => header[match]).length !== 1)
      faults.push(
        `${where}.Header[${at}] should only contain one of Present, Exact, Prefix, Suffix, Contains, or Regex`,
      );
  }
  if (new Set(Methods).size < Methods.length) faults.push(`${where}.Methods contains a method more than once`);
}
