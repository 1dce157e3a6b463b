// The promises of Raft at the seams: what a server says to others is compared with what its disk would still hold after a
// power cut at that moment, and what leaders claim with the disks and the leaders there are. Most mistakes break a promise
// long before a client could notice it.
import { decodeConfiguration } from "../../../src/raft/configuration.ts";
import type { AppendResponse, Configuration, RequestVote, VoteResponse } from "../../../src/raft/types.ts";
import type { Checker, Said, SeamNode, Sim, SimNode } from "../types.ts";
import { raftOf, type Reference } from "./reference.ts";

const isSeam = (node: SimNode): node is SeamNode => "disk" in node;

/** Nothing is said that a power cut could make untrue (thesis §3.8), and no vote is given that must not be (§3.4, §3.6.1). */
export class Promises implements Checker {
  readonly name = "promises";
  #sim: Sim | null = null;
  /** For whom each server voted in a term, and with which log each candidate asks in it. */
  readonly #votes = new Map<string, string>();
  readonly #asked = new Map<string, RequestVote>();
  /** Messages looked at. */
  seen = 0;

  step(sim: Sim): void {
    if (this.#sim === sim) return;
    this.#sim = sim;
    sim.onSaid?.((said) => this.#said(sim, said));
  }

  #said(sim: Sim, { from, to, message }: Said): void {
    this.seen += 1;
    const { type, term } = message;
    if (type === "request-vote" && message.preVote) return;
    const { durable, isWiped } = from.disk;
    if (type === "vote-response" && message.granted) {
      if (isWiped) sim.fail("no vote after a lost disk", `${from.name} lost its disk and votes for ${to.name}`);
      if (message.preVote) return;
    }
    // What was promised with a disk that is gone cannot be kept.
    if (isWiped) return;
    const { hardState } = durable;
    const stored = hardState?.term ?? 0;
    if (term > stored)
      sim.fail(
        "term before it is durable",
        `${from.name} says ${type} of term ${term} to ${to.name}, its disk has term ${stored}`,
      );
    if (type === "request-vote") {
      this.#asked.set(`${from.id} ${term}`, message);
      if (term === stored && hardState?.vote !== from.id)
        sim.fail(
          "vote before it is durable",
          `${from.name} campaigns in term ${term}, its disk has no vote for itself`,
        );
    } else if (type === "vote-response" && message.granted) this.#voted(sim, from, to, message);
    else if (type === "append-response" && message.success && term === stored)
      this.#acknowledged(sim, from, to, message);
    else if (type === "timeout-now") this.#handedOver(sim, from, to, term);
  }

  #voted(sim: Sim, from: SeamNode, to: SeamNode, { term }: VoteResponse): void {
    const log = from.disk.durable;
    const { hardState, lastIndex, baseIndex } = log;
    if (hardState?.term === term && hardState.vote !== to.id)
      sim.fail(
        "vote before it is durable",
        `${from.name} votes for ${to.name} in term ${term}, its disk has ${hardState.vote === null ? "no vote" : "another one"}`,
      );
    const key = `${from.id} ${term}`;
    const other = this.#votes.get(key);
    if (other !== undefined && other !== to.id)
      sim.fail("one vote a term", `${from.name} votes for ${to.name} in term ${term}, and has voted for ${other}`);
    this.#votes.set(key, to.id);
    const asked = this.#asked.get(`${to.id} ${term}`);
    if (asked === undefined) return;
    // What came with the term itself was not there when the vote was decided.
    let last = lastIndex;
    while (last > baseIndex && (log.termAt(last) ?? 0) >= term) last -= 1;
    const lastTerm = log.termAt(last) ?? 0;
    if (asked.lastTerm < lastTerm || (asked.lastTerm === lastTerm && asked.lastIndex < last))
      sim.fail(
        "vote for who is up to date",
        `${from.name} votes for ${to.name}, whose log ends at ${asked.lastIndex} of term ${asked.lastTerm}; its own at ${last} of ${lastTerm}`,
      );
  }

  #acknowledged(sim: Sim, from: SeamNode, to: SeamNode, { index, term }: AppendResponse): void {
    const { lastIndex } = from.disk.durable;
    if (index > lastIndex)
      sim.fail(
        "acknowledged before it is durable",
        `${from.name} acknowledges ${index} to ${to.name} in term ${term}, its disk ends at ${lastIndex}`,
      );
  }

  #handedOver(sim: Sim, from: SeamNode, to: SeamNode, term: number): void {
    const raft = raftOf(from.server);
    if (raft === null || raft.role !== "leader" || raft.term !== term || to.disk.isLost) return;
    const { lastIndex } = to.disk.durable;
    if (lastIndex < raft.lastIndex)
      sim.fail(
        "handed over to who holds all",
        `${from.name}, whose log ends at ${raft.lastIndex}, tells ${to.name} to lead, whose disk ends at ${lastIndex}`,
      );
  }
}

/** What was seen of a server while it leads. */
interface Lead {
  term: number;
  commit: number;
  configuration: number;
}

/**
 * What a leader calls committed is of its own term and on the disks of a majority (thesis §3.6.2); as long as it trusts its
 * lease nobody else leads (§6.4.1); it changes the group one server at a time, and not before it has committed anything (§4.1).
 */
export class Claims implements Checker {
  readonly name = "claims";
  readonly #reference: Reference;
  readonly #leads = new Map<string, Lead>();

  constructor(reference: Reference) {
    this.#reference = reference;
  }

  step(sim: Sim): void {
    let isLed = false;
    for (const node of sim.touched ?? sim.nodes) {
      const raft = raftOf(node.server);
      if (raft?.role !== "leader") {
        if (this.#leads.size > 0) this.#leads.delete(node.name);
        continue;
      }
      isLed = true;
      const lead = this.#leads.get(node.name);
      if (lead?.term !== raft.term) {
        this.#leads.set(node.name, {
          term: raft.term,
          commit: raft.commitIndex,
          configuration: raft.configurationIndex,
        });
        continue;
      }
      if (raft.commitIndex > lead.commit) {
        this.#committed(sim, node, raft.commitIndex, raft.term);
        lead.commit = raft.commitIndex;
      }
      if (raft.configurationIndex !== lead.configuration) this.#changed(sim, node, lead);
    }
    if (isLed) this.#leases(sim);
  }

  #committed(sim: Sim, node: SimNode, commit: number, term: number): void {
    const raft = raftOf(node.server)!;
    const termAt = raft.termAt(commit);
    if (termAt !== term)
      sim.fail(
        "commits of its own term",
        `${node.name} leads in term ${term} and counts entry ${commit} of term ${termAt} as committed`,
      );
    const holds = (id: string): boolean => {
      const agent = sim.nodes.find((each) => isSeam(each) && each.id === id);
      // It is gone for good, or its disk is: it held what it acknowledged.
      if (agent === undefined || !isSeam(agent) || agent.disk.isLost) return true;
      const { durable } = agent.disk;
      return durable.baseIndex >= commit || durable.termAt(commit) === termAt;
    };
    const isQuorum = ({ servers }: Configuration): boolean => {
      const voters = servers.filter(({ voter }) => voter);
      return voters.filter(({ id }) => holds(id)).length > voters.length / 2;
    };
    if (!sim.nodes.some(isSeam)) return;
    // A change of the group may have followed in the same moment.
    if (!isQuorum(raft.configuration) && !isQuorum(raft.configurationAt(commit).configuration))
      sim.fail("durable on a majority", `${node.name} commits ${commit}, and no majority has it on its disks`);
  }

  #changed(sim: Sim, node: SimNode, lead: Lead): void {
    const raft = raftOf(node.server)!;
    const { configuration, configurationIndex, term } = raft;
    lead.configuration = configurationIndex;
    if (raft.termAt(raft.commitIndex) !== term)
      sim.fail(
        "no change before a commit",
        `${node.name} changes the group at ${configurationIndex} before it has committed anything in term ${term}`,
      );
    const before = raft.configurationAt(configurationIndex - 1);
    if (before.index > this.#reference.logIndex)
      sim.fail(
        "one change at a time",
        `${node.name} changes the group at ${configurationIndex}, while the change at ${before.index} is not committed`,
      );
    for (const { id, voter } of configuration.servers) {
      const known = before.configuration.servers.find((server) => server.id === id);
      const agent = sim.nodes.find((each) => isSeam(each) && each.id === id);
      if (!voter || known?.voter !== false || agent === undefined || !isSeam(agent) || agent.disk.isLost) continue;
      if (agent.disk.durable.lastIndex === 0)
        sim.fail("a vote for who holds something", `${node.name} gives ${agent.name} a vote, whose disk is empty`);
    }
  }

  #leases(sim: Sim): void {
    let count = 0;
    for (const { server } of sim.nodes) if (raftOf(server)?.role === "leader") count += 1;
    // Nearly always.
    if (count < 2) return;
    const leaders = sim.nodes.filter((node) => raftOf(node.server)?.role === "leader");
    const newest = Math.max(...leaders.map(({ server }) => raftOf(server)!.term));
    for (const node of leaders) {
      const raft = raftOf(node.server)!;
      if (raft.term < newest && isSeam(node) && raft.canReadLocally(node.clock.now()))
        sim.fail(
          "lease",
          `${node.name} trusts its lease of term ${raft.term}, and another server leads in term ${newest}`,
        );
    }
  }
}

/** The group is what the committed log says: on every server, as far as it has committed. */
export class Groups implements Checker {
  readonly name = "group as committed";
  readonly everyMs = 250;
  readonly #committed: { index: number; servers: string }[] = [];

  constructor(reference: Reference) {
    reference.onCommitted(({ entry }) => {
      if (entry.kind === "config")
        this.#committed.push({ index: entry.index, servers: textOf(decodeConfiguration(entry.data)) });
    });
  }

  step(sim: Sim): void {
    for (const { name, server } of sim.nodes) {
      const raft = raftOf(server);
      if (raft === null || raft.configurationAt === undefined) continue;
      const known = this.#committed.findLast(({ index }) => index <= raft.commitIndex);
      if (known === undefined) continue;
      const { index, configuration } = raft.configurationAt(raft.commitIndex);
      if (index !== known.index || textOf(configuration) !== known.servers)
        sim.fail(
          this.name,
          `${name} has committed ${raft.commitIndex} and takes the group from ${index}: ${textOf(configuration)}; at ${known.index} it became ${known.servers}`,
        );
    }
  }
}

const textOf = (configuration: Configuration | null): string =>
  (configuration?.servers ?? []).map(({ id, voter }) => `${id}${voter ? "" : " (no vote)"}`).join();
