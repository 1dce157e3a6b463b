// Who the primary is, as another datacenter says: each asks every other, so that the news of a move arrives by any way that is
// open. A record is believed when it is newer and of the same family, or when the primary itself says it.
import { federationGet } from "../endpoint/federation.ts";
import { isNewer } from "../state/federation.ts";
import type { Federation, Primary } from "../types/records.ts";
import type { Kind, Plan } from "./kind.ts";
import type { Question, QuestionAnswer } from "./questions.ts";

/** What this datacenter does about what another one says. */
export type PrimaryBatch =
  /** Takes its word. */
  | { type: "follow"; primary: Primary }
  /** The primary, `from`, has stepped down in favour of this datacenter. */
  | { type: "take-over"; primary: Primary; from: string };

/** What is known here. */
export interface PrimaryHere {
  readonly datacenter: string;
  /** As stored, else as the files say, with epoch 0. */
  primary(): Primary;
}

/** What to do when `from` says that `told` is the primary; null for nothing. */
export function primaryBatch(here: PrimaryHere, from: string, told: Primary | null): PrimaryBatch | null {
  if (told === null) return null;
  const known = here.primary();
  const isBelieved = told.Family === known.Family || from === known.Datacenter;
  if (!isBelieved || !isNewer(told, known)) return null;
  if (told.Datacenter !== here.datacenter) return { type: "follow", primary: told };
  // Only who steps down knows what was written until then.
  return from === told.From ? { type: "take-over", primary: told, from } : null;
}

/** Asks one other datacenter. */
export class PrimaryKind implements Kind<Question, QuestionAnswer, PrimaryBatch> {
  readonly #here: PrimaryHere;
  readonly #from: string;
  #index = 0;

  constructor(here: PrimaryHere, from: string) {
    this.#here = here;
    this.#from = from;
  }

  begin(): void {
    this.#index = 0;
  }

  question(): Question {
    const question: Question<null, Federation | null> = {
      datacenter: this.#from,
      endpoint: federationGet,
      args: null,
      index: this.#index,
    };
    return question as Question;
  }

  plan({ value, index }: QuestionAnswer): Plan<PrimaryBatch> {
    const batch = primaryBatch(this.#here, this.#from, (value as Federation | null)?.Primary ?? null);
    this.#index = index;
    return { batch, next: batch === null ? "wait" : "plan", index };
  }
}
