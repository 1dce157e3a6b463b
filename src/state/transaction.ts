// One command under way: every write goes through it, so that the changes are complete and can be taken back whole.

import type { Change, ServiceName } from "./change.ts";
import { sameData } from "./equal.ts";
import type { NodeService } from "../types/records.ts";
import { fold } from "./key.ts";
import type { Tables } from "./tables.ts";

/** The writes of one apply. */
export class Transaction {
  readonly index: number;
  readonly tables: Tables;
  readonly changes: Change[] = [];
  /** IDs of sessions whose node or check is gone or critical: ended by `endSessions`, not at once, so that nothing recurses. */
  readonly doomed: string[] = [];

  constructor(tables: Tables, index: number) {
    this.tables = tables;
    this.index = index;
  }

  /** Writes one record. */
  write(change: Change): void {
    this.tables.write(change);
    this.changes.push(change);
  }

  /** Writes a service and, when the names or the union of their tags move with it, the derived `service-names`. */
  writeService(key: string, before: NodeService | null, after: NodeService | null): void {
    this.write({ table: "services", key, before, after });
    if (before !== null) this.#deriveName(before.Service);
    if (after !== null && (before === null || fold(before.Service) !== fold(after.Service))) {
      this.#deriveName(after.Service);
    }
  }

  #deriveName(name: string): void {
    const key = fold(name);
    const before: ServiceName | null = this.tables.services.names.get(key) ?? null;
    const after = this.tables.services.deriveName(key);
    if (sameData(before, after)) return;
    this.write({ table: "service-names", key, before, after });
  }

  /** Takes every write back. */
  rollback(): void {
    for (let i = this.changes.length - 1; i >= 0; i--) this.tables.unwrite(this.changes[i]!);
    this.changes.length = 0;
    this.doomed.length = 0;
  }
}
