// Configuration entries of the primary: a secondary has all of them, and no others. Compared by what they say, since
// indexes are each datacenter's own. https://developer.hashicorp.com/consul/docs/fundamentals/config-entry
import { configEntryList, type ConfigEntriesArgs } from "../endpoint/config-entry.ts";
import type { ConfigDelete, ConfigEntryInput, ConfigSet } from "../state/command.ts";
import { sameRecord } from "../state/equal.ts";
import type { ConfigEntry } from "../types/records.ts";
import { stringifyJson } from "../util/json.ts";
import type { Kind, Plan } from "./kind.ts";
import type { Question, QuestionAnswer } from "./questions.ts";

/** How much is written at once. One entry is, however large. */
const BATCH_MAX = 64;
const BATCH_CHARS_MAX = 256 * 1024;

const ALL: ConfigEntriesArgs = { kind: "", filter: "" };

/** What is to be written, and what it takes the place of. */
export interface EntriesBatch {
  commands: (ConfigSet | ConfigDelete)[];
  /** Local entries that differ from the primary's or are not there. */
  replaced: ConfigEntry[];
}

const nameOf = ({ Kind: kind, Name: name }: ConfigEntry): string => `${kind}\u0000${name.toLowerCase()}`;

/** The next part of the difference, null when there is none. Entries are set before others are deleted. */
export function entriesBatch(remote: readonly ConfigEntry[], local: readonly ConfigEntry[]): EntriesBatch | null {
  const here = new Map(local.map((entry) => [nameOf(entry), entry]));
  const batch: EntriesBatch = { commands: [], replaced: [] };
  let chars = 0;
  for (const entry of remote) {
    const own = here.get(nameOf(entry));
    here.delete(nameOf(entry));
    if (own !== undefined && sameRecord(own, entry)) continue;
    const length = stringifyJson(entry).length;
    const isFull =
      batch.commands.length === BATCH_MAX || (batch.commands.length > 0 && chars + length > BATCH_CHARS_MAX);
    if (isFull) return batch;
    chars += length;
    batch.commands.push({ type: "config.set", entry: input(entry), cas: null });
    if (own !== undefined) batch.replaced.push(own);
  }
  for (const own of here.values()) {
    if (batch.commands.length === BATCH_MAX) return batch;
    batch.commands.push({ type: "config.delete", kind: own.Kind, name: own.Name, cas: null });
    batch.replaced.push(own);
  }
  return batch.commands.length === 0 ? null : batch;
}

/** How many entries are only on one side, or say something else there. */
export function differingEntries(remote: readonly ConfigEntry[], local: readonly ConfigEntry[]): number {
  const here = new Map(local.map((entry) => [nameOf(entry), entry]));
  let count = 0;
  for (const entry of remote) {
    const own = here.get(nameOf(entry));
    if (own === undefined || !sameRecord(own, entry)) count += 1;
    here.delete(nameOf(entry));
  }
  return count + here.size;
}

function input({ CreateIndex: _create, ModifyIndex: _modify, ...entry }: ConfigEntry): ConfigEntryInput {
  return entry as ConfigEntryInput;
}

type Entries = readonly ConfigEntry[];

/** What the store here is asked for. */
export interface EntriesHere {
  primary(): string;
  entries(): readonly ConfigEntry[];
}

/** Configuration entries, from the primary that is known now. */
export class ConfigEntriesKind implements Kind<Question, QuestionAnswer, EntriesBatch> {
  readonly #here: EntriesHere;
  /** The source's index of the last answer that was carried out: 0 asks for all at once. */
  #index = 0;

  constructor(here: EntriesHere) {
    this.#here = here;
  }

  begin(): void {
    this.#index = 0;
  }

  question(): Question {
    const question: Question<ConfigEntriesArgs, Entries> = {
      datacenter: this.#here.primary(),
      endpoint: configEntryList,
      args: ALL,
      index: this.#index,
    };
    return question as Question;
  }

  plan({ value, index }: QuestionAnswer): Plan<EntriesBatch> {
    const batch = entriesBatch(value as Entries, this.#here.entries());
    this.#index = index;
    return { batch, next: batch === null ? "wait" : "plan", index };
  }
}
