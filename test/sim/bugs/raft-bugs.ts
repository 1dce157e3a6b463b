// Bugs of consensus: each breaks one thing that the thesis, or an implementation that had the bug, says is needed.
import type { Bug, Edit } from "./bug.ts";

const edit = (file: string, find: string, replace: string): Edit => ({ file: `src/raft/${file}`, find, replace });

/** Bugs of src/raft. */
export const RAFT_BUGS: readonly Bug[] = [
  {
    name: "quorum-of-half",
    what: "less than a majority is called a majority",
    edits: [edit("quorum.ts", "return (count >> 1) + 1;", "return Math.max(1, count >> 1);")],
  },
  {
    name: "figure-8-commit",
    what: "entries of earlier terms are committed by counting (Figure 8 of the Raft paper)",
    edits: [
      edit(
        "commit.ts",
        "if (index <= core.commitIndex || core.log.termAt(index) !== core.term) return;",
        "if (index <= core.commitIndex) return;",
      ),
    ],
  },
  {
    name: "vote-not-durable",
    what: "a vote is answered before it is written",
    edits: [
      edit(
        "election.ts",
        "if (granted && !preVote) core.sendAfter(to, response);\n  else core.reply(to, response);",
        "core.send(to, response);",
      ),
    ],
  },
  {
    name: "vote-twice",
    what: "a server that has voted in a term votes for another candidate too",
    edits: [
      edit(
        "election.ts",
        "return core.vote === candidate || (core.vote === null && core.leader === null);",
        "return core.vote === candidate || core.leader === null;",
      ),
    ],
  },
  {
    name: "vote-for-anyone",
    what: "a vote is given without looking whether the candidate's log is up to date",
    edits: [
      edit(
        "log.ts",
        "return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);",
        "return lastIndex >= 0;",
      ),
    ],
  },
  {
    name: "vote-by-length",
    what: "logs are compared by their length alone, not by the term of their last entry first",
    edits: [
      edit(
        "log.ts",
        "return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);",
        "return lastIndex >= this.lastIndex;",
      ),
    ],
  },
  {
    name: "term-not-durable",
    what: "a new term is not written",
    edits: [edit("role.ts", "core.vote = vote;\n  core.persistence.markHardState();", "core.vote = vote;")],
  },
  {
    name: "reply-before-fsync",
    what: "entries are acknowledged before they are durable",
    edits: [
      edit(
        "follower.ts",
        "if (isHeartbeat || index <= stableIndex) core.reply(to, response);\n  else core.sendAfter(to, response);",
        "core.reply(to, { ...response, index: Math.max(index, stableIndex) });",
      ),
    ],
  },
  {
    name: "leader-counts-unsynced",
    what: "the leader counts its own copy before it is durable",
    edits: [
      edit(
        "commit.ts",
        "const index = lead.reached(core, core.persistence.stableIndex, matchOf);",
        "const index = lead.reached(core, core.log.lastIndex, matchOf);",
      ),
    ],
  },
  {
    name: "commit-counts-non-voter",
    what: "what a server without a vote holds counts for the majority",
    edits: [
      edit(
        "leadership.ts",
        "    return reachedByMajority(values);",
        `    for (const peer of this.progress.values()) {
      if (voters.includes(peer.id)) continue;
      const least = values.indexOf(Math.min(...values));
      values[least] = Math.max(values[least]!, of(peer));
    }
    return reachedByMajority(values);`,
      ),
    ],
  },
  {
    name: "heartbeat-race",
    what: "entries of a leader whose term has just ended are still taken and acknowledged (hashicorp/raft #695)",
    edits: [
      edit(
        "follower.ts",
        "  if (message.term < core.term) {\n",
        '  const isRace = message.term === core.term - 1 && core.role === "follower";\n  if (message.term < core.term && !isRace) {\n',
      ),
      edit(
        "follower.ts",
        "if (message.term > core.term || core.leader !== from) becomeFollower",
        "if (!isRace && (message.term > core.term || core.leader !== from)) becomeFollower",
      ),
      edit(
        "follower.ts",
        "    term: core.term,\n    round: message.round,\n    success: true,",
        "    term: message.term,\n    round: message.round,\n    success: true,",
      ),
    ],
  },
  {
    name: "previous-entry-unchecked",
    what: "entries are appended without looking whether the one before them agrees",
    edits: [edit("follower.ts", "if (ownPrevTerm !== prevTerm) {", "if (ownPrevTerm === null) {")],
  },
  {
    name: "commit-beyond-match",
    what: "a follower commits what it has, not what it knows to agree with the leader",
    edits: [
      edit(
        "follower.ts",
        "const commit = Math.min(message.commit, last);",
        "const commit = Math.min(message.commit, log.lastIndex);",
      ),
    ],
  },
  {
    name: "stale-append-truncates",
    what: "an old message with entries that are known cuts off those that came after it",
    edits: [
      edit(
        "follower.ts",
        "  if (first === undefined) return true;",
        `  if (first === undefined) {
    const last = message.prevIndex + entries.length;
    if (entries.length > 0 && last < log.lastIndex && last >= core.commitIndex) core.truncate(last + 1, false);
    return true;
  }`,
      ),
    ],
  },
  {
    name: "lease-too-long",
    what: "the leader's lease is longer than the election timeout",
    edits: [edit("lease.ts", "+ core.timings.leaseMs;", "+ 4 * core.timings.electionTimeoutMs;")],
  },
  {
    name: "lease-from-answer",
    what: "the lease counts from when the answer comes, not from when the question went out",
    edits: [
      edit(
        "replication.ts",
        "progress.ackedRoundBeganMs = lead.rounds.beganMs(message.round);",
        "progress.ackedRoundBeganMs = core.now;",
      ),
    ],
  },
  {
    name: "lease-survives-transfer",
    what: "a leader that has told another one to take over still trusts its lease",
    edits: [edit("transfer.ts", "  lead.isLeaseRevoked = true;\n", "")],
  },
  {
    name: "promise-forgotten",
    what: "a restarted server votes at once, though the leader's lease may rest on its last answer",
    edits: [
      edit(
        "raft.ts",
        "core.promiseUntilMs = core.now + core.timings.electionTimeoutMs;",
        "core.promiseUntilMs = core.now;",
      ),
    ],
  },
  {
    name: "promise-not-kept",
    what: "a server that hears its leader gives its vote to another one",
    edits: [
      edit("election.ts", "if (!message.transfer && isLeaderAlive(core)) {", "if (core.leadership !== null) {"),
      edit("election.ts", "  if (core.now < core.promiseUntilMs || core.persistence", "  if (core.persistence"),
    ],
  },
  {
    name: "read-index-unconfirmed",
    what: "a consistent read is answered without asking the others who leads",
    edits: [
      edit(
        "read-index.ts",
        "if (reading === null || lead.reached(core, lead.rounds.current, ackedRoundOf) < reading.round) return;",
        "if (reading === null) return;",
      ),
    ],
  },
  {
    name: "read-index-reused",
    what: "a read is confirmed by answers to a question that went out before it came (etcd #20418)",
    edits: [
      edit(
        "read-index.ts",
        "if (reading === null || lead.reached(core, lead.rounds.current, ackedRoundOf) < reading.round) return;",
        "if (reading === null || lead.reached(core, lead.rounds.current, ackedRoundOf) < reading.round - 3) return;",
      ),
    ],
  },
  {
    name: "configuration-over-configuration",
    what: "a change of membership begins while the last one is not committed",
    edits: [edit("membership.ts", '  if (core.members.index > core.commitIndex) return "config-pending";\n', "")],
  },
  {
    name: "configuration-before-commit",
    what: "a change of membership begins before an entry of the term is committed (raft-dev, 2015)",
    edits: [
      edit("membership.ts", '  if (core.commitIndex < lead.termStart) return "not-ready";\n', ""),
      // The server asks for changes only once it knows what is committed, so that guard too must be away.
      {
        file: "src/server/server.ts",
        find: "    if (raft.commitIndex > this.#applied || raft.termAt(this.#applied) !== raft.term) return;\n    this.#lead(true);",
        replace: '    if (raft.role === "leader") this.#lead(true);',
      },
    ],
  },
  {
    name: "configuration-not-rolled-back",
    what: "a configuration whose entry was truncated stays in force",
    edits: [edit("core.ts", "    if (this.members.truncate(from)) this.emitConfiguration();\n", "")],
  },
  {
    name: "promoted-with-nothing",
    what: "a server gets its vote before it holds anything",
    edits: [
      edit(
        "membership.ts",
        'if (progress === undefined || progress.match === 0 || progress.state === "snapshot") return "not-caught-up";',
        'if (progress === undefined) return "not-caught-up";',
      ),
      // Autopilot asks only for those that are well, so that guard too must be away.
      {
        file: "src/server/caretaker.ts",
        find: "!voter && healthy && stableMs >= settings.stabilizationMs,",
        replace: "!voter && stableMs >= 0,",
      },
    ],
  },
  {
    name: "wiped-server-votes",
    what: "a server that lost its disk votes again under its old name",
    edits: [
      edit("election.ts", '    core.drop("empty-log");\n    return;', '    core.drop("empty-log");'),
      edit(
        "replication.ts",
        "  if (hasLostData(core, progress, message)) {",
        "  if (hasLostData(core, progress, message) && core.term < 0) {",
      ),
      edit(
        "replication.ts",
        "    default:\n      if (progress.inflights.count > 0 &&",
        "    default:\n      progress.match = Math.min(progress.match, message.index);\n      if (progress.inflights.count > 0 &&",
      ),
    ],
  },
  {
    name: "old-snapshot-installed",
    what: "a snapshot that is older than what is committed takes its place",
    edits: [
      edit(
        "snapshot.ts",
        "if (!isUsable || index <= core.commitIndex) {",
        "if (!isUsable || index === core.commitIndex) {",
      ),
      edit(
        "snapshot.ts",
        "if (isUsable && index > core.commitIndex && core.log.termAt(index) === snapshot.term) core.commitTo(index);\n",
        "",
      ),
    ],
  },
  {
    name: "snapshot-keeps-suffix",
    what: "entries after a snapshot stay, though they belong to another log",
    edits: [
      edit(
        "snapshot.ts",
        "  core.log.reset(index, snapshot.term);\n",
        `  const kept = core.log.lastIndex > index ? core.log.slice(Math.max(index, core.log.baseIndex) + 1, core.log.lastIndex) : [];
  core.log.reset(index, snapshot.term);
  for (const entry of kept) core.append({ ...entry, term: Math.max(entry.term, snapshot.term) });
`,
      ),
    ],
  },
  {
    name: "no-pre-vote",
    what: "a server that hears no leader opens a new term at once",
    edits: [
      edit(
        "election.ts",
        "  becomePreCandidate(core);\n  for (const id of core.members.voters)\n    if (id !== core.id) core.send(id, voteRequest(core, core.term + 1, true, false));",
        "  startElection(core, false);",
      ),
    ],
  },
  {
    name: "no-check-quorum",
    what: "a leader that hears nobody leads on",
    edits: [
      edit("raft.ts", "if (!isStalled && !hearsQuorum(core, lead)) {", "if (!isStalled && lead.progress.size < 0) {"),
    ],
  },
  {
    name: "transfer-to-who-is-behind",
    what: "leadership is handed to a server that lacks entries",
    edits: [
      edit(
        "transfer.ts",
        "if (progress !== undefined && progress.match === core.log.lastIndex) sendTimeoutNow(core, lead, progress.id);",
        "if (progress !== undefined) sendTimeoutNow(core, lead, progress.id);",
      ),
    ],
  },
];
