// The form that the kinds' questions have: an endpoint, as any other asker would ask it, of a datacenter.
import type { QueryEndpoint } from "../endpoint/endpoint.ts";

/** How long a question for changes waits at the source: also how soon a silent link is noticed. */
export const QUESTION_WAIT_MS = 10_000;

/** A question for another datacenter. */
export interface Question<A = unknown, R = unknown> {
  readonly datacenter: string;
  readonly endpoint: QueryEndpoint<A, R>;
  readonly args: A;
  /** Answer only when there is something newer; 0 answers at once. */
  readonly index: number;
}

/** What came back. */
export interface QuestionAnswer<R = unknown> {
  readonly value: R;
  readonly index: number;
}
