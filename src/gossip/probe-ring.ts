// In which order members are probed: each once in a round, every round in another random order (SWIM §4.3), so that a dead
// one is found within two rounds.
import type { Random } from "../util/random.ts";
import { shuffled } from "../util/shuffle.ts";
import type { Member, MemberTable } from "./member-table.ts";
import { isLeaf, isReachable } from "./member-table.ts";

/** The round of members that may be probed. */
export class ProbeRing {
  readonly #table: MemberTable;
  readonly #random: Random;
  readonly #self: Member;
  #round: Member[] = [];
  #next = 0;

  constructor(table: MemberTable, random: Random, self: Member) {
    this.#table = table;
    this.#random = random;
    this.#self = self;
  }

  /** A new member comes up somewhere in the round. It may be this one, which then goes to the end of it. */
  add(member: Member): void {
    const at = this.#random.below(this.#round.length + 1);
    const moved = this.#round[at];
    this.#round[at] = member;
    if (moved !== undefined) this.#round.push(moved);
  }

  /** Who is next; null when there is nobody. */
  next(): Member | null {
    for (let fresh = false; ; fresh = true) {
      while (this.#next < this.#round.length) {
        const member = this.#round[this.#next] as Member;
        this.#next += 1;
        if (this.#isProbed(member)) return member;
      }
      if (fresh) return null;
      this.#round = shuffled(
        this.#table.all.filter((member) => this.#isProbed(member)),
        this.#random,
      );
      this.#next = 0;
    }
  }

  #isProbed(member: Member): boolean {
    return member !== this.#self && isReachable(member) && !isLeaf(member.record);
  }
}
