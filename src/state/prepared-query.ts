// Prepared queries: the table, by ID, by name, by template and by session. What a query means for one name, and the
// rendering of templates, is the endpoint's. https://developer.hashicorp.com/consul/api-docs/query

import type { PreparedQuery } from "../types/records.ts";
import type { Refusal, Unindexed } from "./command.ts";
import { sameRecord } from "./equal.ts";
import { GroupIndex } from "./group-index.ts";
import { fold, isKeyPart } from "./key.ts";
import { createOrderedMap } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";
import type { Transaction } from "./transaction.ts";

/** True when the query stands for every name with its own as prefix. */
export function isTemplate(query: Unindexed<PreparedQuery>): boolean {
  return query.Template.Type !== "";
}

/** Queries; the key is the ID. */
export class QueryTable {
  readonly records: OrderedMap<PreparedQuery> = createOrderedMap<PreparedQuery>();
  /** By folded name, of those that have one; templates too. */
  readonly #byName: Map<string, PreparedQuery> = new Map();
  /** Templates by folded prefix; one may have the empty prefix. */
  readonly #templates: Map<string, PreparedQuery> = new Map();
  readonly #bySession: GroupIndex<PreparedQuery> = new GroupIndex();

  write(key: string, before: PreparedQuery | null, after: PreparedQuery | null): void {
    if (before !== null) {
      const name = fold(before.Name);
      if (name !== "") this.#byName.delete(name);
      if (isTemplate(before)) this.#templates.delete(name);
      if (before.Session !== "") this.#bySession.delete(fold(before.Session), key);
    }
    if (after === null) {
      this.records.delete(key);
      return;
    }
    this.records.set(key, after);
    const name = fold(after.Name);
    if (name !== "") this.#byName.set(name, after);
    if (isTemplate(after)) this.#templates.set(name, after);
    if (after.Session !== "") this.#bySession.set(fold(after.Session), key, after);
  }

  get(id: string): PreparedQuery | undefined {
    return this.records.get(fold(id));
  }

  named(name: string): PreparedQuery | undefined {
    return this.#byName.get(fold(name));
  }

  template(prefix: string): PreparedQuery | undefined {
    return this.#templates.get(fold(prefix));
  }

  /** The template with the longest prefix of the name. */
  templateFor(name: string): PreparedQuery | undefined {
    if (this.#templates.size === 0) return undefined;
    const folded = fold(name);
    for (let length = folded.length; length >= 0; length--) {
      const found = this.#templates.get(folded.slice(0, length));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The queries that end with a session. */
  boundTo(session: string): readonly PreparedQuery[] {
    return this.#bySession.list(fold(session));
  }
}

/** Creates a query or replaces the one with its ID. */
export function querySet(tx: Transaction, input: Unindexed<PreparedQuery>): Refusal | null {
  const { queries, sessions } = tx.tables;
  if (input.ID === "") return refuse("Missing Query ID");
  if (!isKeyPart(input.ID) || !isKeyPart(input.Session)) return refuse("Invalid query: an ID must not contain NUL");
  const existing = queries.get(input.ID) ?? null;
  const sameId = (other: PreparedQuery | undefined): boolean =>
    other === undefined || other === (existing ?? undefined);
  if (input.Name !== "" && !sameId(queries.named(input.Name))) {
    return refuse(`name '${input.Name}' aliases an existing query name`);
  }
  if (input.Name === "" && isTemplate(input) && !sameId(queries.template(""))) {
    return refuse("a query template with an empty name already exists");
  }
  // Queries are found by ID, then by name: a name must not hide behind another's ID.
  if (queries.get(input.Name) !== undefined) {
    return refuse(`name '${input.Name}' aliases an existing query ID`);
  }
  if (input.Session !== "" && sessions.get(input.Session) === undefined) {
    return refuse(`invalid session ${JSON.stringify(input.Session)}`);
  }
  if (existing !== null && sameRecord(existing, input)) return null;
  const after: PreparedQuery = {
    ID: input.ID,
    Name: input.Name,
    Session: input.Session,
    Token: input.Token,
    Template: input.Template,
    Service: input.Service,
    DNS: input.DNS,
    CreateIndex: existing?.CreateIndex ?? tx.index,
    ModifyIndex: tx.index,
  };
  tx.write({ table: "queries", key: fold(input.ID), before: existing, after });
  return null;
}

/** Removes a query. */
export function queryRemove(tx: Transaction, query: PreparedQuery): void {
  tx.write({ table: "queries", key: fold(query.ID), before: query, after: null });
}

/** Removes the query with an ID; nothing to do when there is none. */
export function queryDelete(tx: Transaction, id: string): void {
  const query = tx.tables.queries.get(id);
  if (query !== undefined) queryRemove(tx, query);
}

function refuse(message: string): Refusal {
  return { code: "refused", message };
}
