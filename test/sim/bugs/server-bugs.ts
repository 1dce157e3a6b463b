// Bugs of what surrounds consensus: the disk, proposals, reads, blocking queries, sessions, transactions.
import type { Bug, Edit } from "./bug.ts";

const edit = (file: string, find: string, replace: string): Edit => ({ file: `src/${file}`, find, replace });

/** Bugs of src/server, src/rpc, src/endpoint and src/state. */
export const SERVER_BUGS: readonly Bug[] = [
  {
    name: "two-write-vote",
    what: "term and vote are two writes, and the vote is answered after the first (hashicorp/raft #661)",
    edits: [
      edit(
        "server/consensus.ts",
        "      () => this.#log.append(effect),\n",
        `      () => {
        const { hardState } = effect;
        if (hardState === null || hardState.vote === null) return this.#log.append(effect);
        const first = this.#log.append({ ...effect, hardState: { term: hardState.term, vote: null } });
        const second = this.#log.append({ entries: [], hardState });
        if (second !== undefined) second.catch(() => {});
        return first;
      },
`,
      ),
    ],
  },
  {
    name: "sync-error-ignored",
    what: "a failed sync counts as done (fsyncgate)",
    edits: [
      edit(
        "server/consensus.ts",
        "      written.then(done, (error: unknown) => this.#writeFailed(error, refused));",
        `      written.then(done, (error: unknown) => {
        if (error instanceof OperationalError && error.code === "disk-full") this.#writeFailed(error, refused);
        else done();
      });`,
      ),
    ],
  },
  {
    name: "disk-full-ignored",
    what: "what a full disk refused counts as written",
    edits: [
      edit(
        "server/consensus.ts",
        "      refused();\n    } else this.#stopped(error);",
        "    } else this.#stopped(error);",
      ),
    ],
  },
  {
    name: "acknowledged-before-commit",
    what: "a write is acknowledged as soon as the leader has it",
    edits: [
      edit(
        "server/consensus.ts",
        "          if (proposal !== undefined) this.#accepted.set(effect.index + at, { proposal, term: effect.term });",
        `          if (proposal === undefined) continue;
          this.#accepted.set(effect.index + at, { proposal, term: effect.term });
          if (this.#machine.configuration.servers.length > 1)
            (proposal as Proposal & { settle?(result: unknown): void }).settle?.({ ok: true, value: true });`,
      ),
    ],
  },
  {
    name: "fate-guessed",
    what: "a proposal that may still be committed is said not to be done",
    edits: [
      edit(
        "server/consensus.ts",
        "for (const { proposal } of unknown) proposal.failed(outcomeUnknown());",
        'for (const { proposal } of unknown) proposal.failed(rejection("not-leader"));',
      ),
      edit("server/consensus.ts", "const FATE_MS = 2000;", "const FATE_MS = 50;"),
    ],
  },
  {
    name: "other-entry-acknowledged",
    what: "a proposal is acknowledged when anything is committed at its index",
    edits: [
      edit("server/consensus.ts", "if (accepted.term === entry.term) this.#host", "if (accepted.term > 0) this.#host"),
      // Without this one the first would change nothing: what is truncated waits no more.
      edit("server/consensus.ts", "if (index < effect.fromIndex) continue;", "if (index > 0) continue;"),
    ],
  },
  {
    name: "applied-out-of-order",
    what: "entries that are committed together are applied from the last to the first",
    edits: [
      edit(
        "server/consensus.ts",
        "for (const entry of effect.entries) this.#commit(entry);",
        "for (const entry of effect.entries.toReversed()) this.#commit(entry);",
      ),
    ],
  },
  {
    name: "applied-twice",
    what: "after a restart the last entries before the snapshot are applied once more",
    edits: [
      edit(
        "server/consensus.ts",
        "applied: options.snapshot?.index ?? 0,",
        "applied: Math.max(options.loaded.base.index, (options.snapshot?.index ?? 0) - 3),",
      ),
    ],
  },
  {
    name: "snapshot-skips-an-entry",
    what: "a snapshot says that it holds one entry more than it does",
    edits: [
      edit(
        "server/consensus.ts",
        "    return { index, term, configuration, configurationIndex };",
        `    const next = this.#machine.termAt(index + 1);
    return next === null || this.#machine.commitIndex < index
      ? { index, term, configuration, configurationIndex }
      : { index: index + 1, term: next, configuration, configurationIndex };`,
      ),
    ],
  },
  {
    name: "snapshot-without-configuration",
    what: "a snapshot carries the first configuration, not the one of its index",
    edits: [edit("server/consensus.ts", "this.#machine.configurationAt(index);", "this.#machine.configurationAt(1);")],
  },
  {
    name: "compacted-before-durable",
    what: "the log is cut before the snapshot that replaces it is durable",
    edits: [
      edit(
        "server/snapshot-taker.ts",
        "      await saveSnapshot(platform.blobs, timers, point, view);",
        "      this.#host.taken(point);\n      await saveSnapshot(platform.blobs, timers, point, view);",
      ),
    ],
  },
  {
    name: "follower-answers-default-reads",
    what: "a default read is answered by any server from what it has",
    edits: [
      edit("rpc/route.ts", 'options.consistency === "stale" ||', 'options.consistency !== "consistent" ||'),
      edit(
        "server/reads.ts",
        "if (!isStale && !server.leading) return",
        'if (options.consistency === "consistent" && !server.leading) return',
      ),
      edit(
        "server/reads.ts",
        '(options.consistency === "consistent" || !server.sure)',
        'options.consistency === "consistent"',
      ),
    ],
  },
  {
    name: "stale-leader-answers",
    what: "a leader answers default reads without its lease",
    edits: [
      edit(
        "server/server.ts",
        "return this.#established && (this.alone || this.readable);",
        "return this.#established;",
      ),
    ],
  },
  {
    name: "read-before-first-commit",
    what: "a new leader answers before it knows what is committed",
    edits: [
      edit(
        "raft/lease.ts",
        "return lead !== null && core.commitIndex >= lead.termStart && holdsLease(core, lead, now);",
        "return lead !== null && holdsLease(core, lead, now);",
      ),
      edit(
        "server/server.ts",
        "    if (raft.commitIndex > this.#applied || raft.termAt(this.#applied) !== raft.term) return;\n",
        "    if (raft.commitIndex > this.#applied) return;\n",
      ),
    ],
  },
  {
    name: "late-answer-not-confirmed",
    what: "a blocking query that waited is answered by who leads no more",
    edits: [
      edit("server/reads.ts", "isStale || this.#stopped || server.readable ?", "isStale || options.index >= 0 ?"),
      edit(
        "server/reads.ts",
        "if (options.index === 0 || this.#stopped || this.#host.server.readable) return this.#answer(shared);",
        "if (options.index >= 0) return this.#answer(shared);",
      ),
      edit(
        "server/server.ts",
        "if (!this.#stopping) this.#blocking.abandon();",
        "if (!this.#stopping) this.#blocking.release();",
      ),
    ],
  },
  {
    name: "answers-kept-too-long",
    what: "a kept answer is given again after a change",
    edits: [
      edit(
        "server/read-cache.ts",
        "kept.handle = this.#watches.onTouch(kept.read.topics, () => kept.drop());",
        "kept.handle = this.#watches.onTouch(kept.read.topics.slice(1), () => kept.drop());",
      ),
    ],
  },
  {
    name: "write-sent-twice",
    what: "a write whose outcome is unknown is sent again",
    edits: [
      edit(
        "rpc/route.ts",
        'new Set(["not-leader", "no-leader", "unreachable"])',
        'new Set(["not-leader", "no-leader", "unreachable", "timeout", "outcome-unknown"])',
      ),
    ],
  },
  {
    name: "followers-wake-nobody",
    what: "only the server that proposed a change wakes those who wait for it",
    edits: [
      edit(
        "server/server.ts",
        "if (topics.length > 0) this.#tell(",
        "if (topics.length > 0 && pending !== null) this.#tell(",
      ),
    ],
  },
  {
    name: "wake-up-lost",
    what: "a change soon after the one that was seen wakes nobody",
    edits: [
      edit(
        "server/blocking.ts",
        "Math.max(this.#index, read.index), () => this.#woken()",
        "Math.max(this.#index, read.index) + 20, () => this.#woken()",
      ),
    ],
  },
  {
    name: "prefix-not-woken",
    what: "a deleted or changed key wakes nobody who waits for a prefix of it",
    edits: [edit("state/watch.ts", "if (length > keyLength) continue;", "if (length < keyLength) continue;")],
  },
  {
    name: "answered-early",
    what: "a blocking query is answered before its time, although nothing has changed",
    edits: [
      edit(
        "server/blocking.ts",
        "timers.after(options.waitMs + jitterMs, () => this.finish());",
        "timers.after((options.waitMs + jitterMs) / 8, () => this.finish());",
      ),
    ],
  },
  {
    name: "index-reset",
    what: "the index of a key that was deleted is 1 again",
    edits: [
      edit(
        "state/kv.ts",
        "return Math.max(1, this.tombstones.get(key) ?? this.#floor.index);",
        "return this.tombstones.get(key) === undefined ? Math.max(1, this.#floor.index) : 1;",
      ),
    ],
  },
  {
    name: "cas-in-advance",
    what: "a compare-and-swap compares when it is proposed, not when it is applied",
    edits: [
      edit(
        "endpoint/kv.ts",
        'return { command: { type: "kv.cas", key, value, flags, index: exactIndex(cas) }, reply: applied };',
        `return (context.state.kvGet(key).value?.ModifyIndex ?? 0) === exactIndex(cas)
        ? { command: { type: "kv.set", key, value, flags }, reply: applied }
        : { answer: false };`,
      ),
    ],
  },
  {
    name: "transaction-not-atomic",
    what: "a transaction that failed leaves behind what it had done",
    edits: [edit("state/apply.ts", "      if (outcome.Errors !== null) tx.rollback();\n", "")],
  },
  {
    name: "session-end-forgotten",
    what: "a session that ends keeps its locks",
    edits: [edit("state/session.ts", "    else kvRelease(tx, key);\n", "")],
  },
  {
    name: "lock-for-everyone",
    what: "a lock that is held is given to another session",
    edits: [
      edit("state/kv.ts", "  if (before?.Session !== undefined && before.Session !== session.ID) return null;\n", ""),
    ],
  },
  {
    name: "fence-not-raised",
    what: "the LockIndex stays the same from holder to holder",
    edits: [
      edit(
        "state/kv.ts",
        "const next = before?.Session === undefined ? increment(lockIndex) : lockIndex;",
        "const next = lockIndex === 0 ? increment(lockIndex) : lockIndex;",
      ),
    ],
  },
  {
    name: "lock-delay-skipped",
    what: "a lock whose holder's session ended can be taken at once",
    edits: [edit("endpoint/kv.ts", "      if (context.lockDelayed(key)) return { answer: false };\n", "")],
  },
  {
    name: "ttl-from-follower-clock",
    what: "followers let the time of sessions run, without the renewals that only the leader sees",
    edits: [
      edit("server/leader-duties.ts", "    if (!this.#leading) return;\n    let ended", "    let ended"),
      edit(
        "server/leader-duties.ts",
        "    this.sessions.clear();\n    const now = this.#host.now();\n    for (const session of this.#host.state().sessions().value) this.sessions.resume(session, now);\n",
        "",
      ),
      edit(
        "server/leader-duties.ts",
        "    this.#leading = false;\n    this.sessions.clear();\n",
        "    this.#leading = false;\n",
      ),
    ],
  },
  {
    name: "ttl-lost-on-failover",
    what: "a new leader does not know the sessions that there are",
    edits: [
      edit(
        "server/leader-duties.ts",
        "for (const session of this.#host.state().sessions().value) this.sessions.resume(session, now);",
        "",
      ),
    ],
  },
  {
    name: "renewal-ignored",
    what: "renewing a session does not put off its end",
    edits: [edit("endpoint/session.ts", "    if (session !== null) context.renewSession(session);\n", "")],
  },
];
