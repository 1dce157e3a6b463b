// The tree of a `?filter=` expression (https://developer.hashicorp.com/consul/api-docs/features/filtering).

/** As go-bexpr names them in its errors; `contains` is `In` with its sides turned. */
export type MatchOperator =
  | "Equal"
  | "Not Equal"
  | "In"
  | "Not In"
  | "Is Empty"
  | "Is Not Empty"
  | "Matches"
  | "Not Matches";

/** One test: a selector's value against a literal, which `Is Empty` does without. */
export interface Match {
  type: "match";
  /** `Meta["a.b"]` is ["Meta", "a.b"]. */
  selector: string[];
  operator: MatchOperator;
  value?: string;
}

export type Expression =
  | Match
  | { type: "not"; operand: Expression }
  | { type: "and"; operands: Expression[] }
  | { type: "or"; operands: Expression[] };
