// The gossip machine: one member of a pool, as a function from inputs to effects: SWIM's failure detector and dissemination
// with Lifeguard's extensions, and Serf's intents, events and coordinates. It does no I/O, has no clock and throws only when it
// has a bug. DESIGN.md lists what its host must do.
import { assert } from "../util/assert.ts";
import type { Veto } from "./admission.ts";
import { isAllowedAddress } from "./admission.ts";
import { heardLeaf, onAnchorAnswer, onAnchorTimeout, onLeafTimeout, setAnchor } from "./anchoring.ts";
import { onVerified, onVote } from "./conflict.ts";
import type { Call } from "./core.ts";
import { Core } from "./core.ts";
import { forceLeave } from "./intents.ts";
import { onJoin, onJoinAnswer } from "./join.ts";
import { onLeave, settleLeave } from "./leave.ts";
import { isLeaf, isReachable, statusOf, viewOf } from "./member-table.ts";
import { changeSelf, onSuspicionTimeout } from "./membership.ts";
import { isAnswer, isRequest } from "./message-check.ts";
import { checkOptions } from "./options.ts";
import { onDirectAnswer, onHelperAnswer, onProbeDeadline, onProbeTimeout } from "./probe.ts";
import { mergeState, onPushPull, onPushPullTimeout } from "./push-pull.ts";
import { onIndirectPing, onRelayed } from "./relay.ts";
import { pushPullScale } from "./scaling.ts";
import { tagsSize } from "./size.ts";
import { answerUpdates, onGossipTimeout } from "./spreading.ts";
import { noteStall } from "./stall.ts";
import type {
  Answer,
  Coordinate,
  DropReason,
  FailureReason,
  GossipEffect,
  GossipInput,
  GossipOptions,
  MemberStatus,
  MemberView,
  PoolState,
  QueueDepths,
  RefusalReason,
  RejectReason,
  Request,
  Tags,
  Update,
} from "./types.ts";
import { onUpdates } from "./updates.ts";
import { onReapTimeout, onReconnectTimeout } from "./upkeep.ts";
import { sendUserEvent } from "./user-events.ts";

/** One member of a pool; the contract is in types.ts and DESIGN.md. */
export class Gossip {
  readonly #core: Core;
  /** As the last step left it: what the host acts on. */
  #deadlineMs: number = Infinity;
  /** The timers that need somebody else run. */
  #isInCompany = false;

  /** @throws AssertionError when the options contradict each other. */
  constructor(options: GossipOptions) {
    checkOptions(options);
    this.#core = new Core(options);
  }

  /** Takes one input to its end. `now` is monotonic milliseconds. The effects are to be carried out in their order. */
  step(now: number, input: GossipInput): GossipEffect[] {
    const core = this.#core;
    if (now > core.now) core.now = now;
    core.effects = [];
    // Too late for its deadline: answers may be waiting behind whatever woke this process.
    if (this.#deadlineMs < Infinity) noteStall(core, core.now - this.#deadlineMs);
    if (core.isStarted) this.#handle(input);
    else if (input.type === "start") this.#start(input.times);
    else core.drop("unexpected");
    this.#finish();
    return core.effects;
  }

  /** When to give `timeout`, in the milliseconds of `now`; null: only other inputs matter. */
  get deadline(): number | null {
    return this.#deadlineMs === Infinity ? null : this.#deadlineMs;
  }

  #handle(input: GossipInput): void {
    const core = this.#core;
    switch (input.type) {
      case "start":
        return core.drop("unexpected");
      case "timeout":
        return this.#timeout();
      case "reply":
        return this.#reply(input.id, input.message, input.rttMs);
      case "failed":
        return this.#failed(input.id, input.reason);
      case "request":
        return this.#request(input.id, input.from, input.message);
      case "join":
        if (core.leaving !== null) return this.#reject(input.ref, "leaving");
        return onJoin(core, input.ref, input.addresses, input.ignoreOld);
      case "leave":
        return onLeave(core);
      case "force-leave":
        return this.#settle(input.ref, forceLeave(core, input.name, input.prune), "unknown-member");
      case "user-event":
        if (core.leaving !== null) return this.#reject(input.ref, "leaving");
        return this.#settle(input.ref, sendUserEvent(core, input.name, input.payload, input.coalesce), "too-large");
      case "tags":
        return this.#tags(input.ref, input.tags);
      case "loop-delay":
        return noteStall(core, input.ms);
      case "heard":
        return heardLeaf(core, input.name);
    }
  }

  #start(times: { readonly member: number; readonly event: number } | undefined): void {
    const core = this.#core;
    core.isStarted = true;
    if (times !== undefined) {
      core.clock.witness(times.member);
      core.eventClock.witness(times.event);
      core.events.minTime = times.event;
    }
    core.self.incarnation = 1;
    core.table.setState(core.self, "alive", core.now);
    // Time 0 was before everything.
    core.clock.next();
    core.eventClock.next();
    core.emitMember("join", core.self);
  }

  #settle(ref: number, isDone: boolean, reason: RejectReason): void {
    if (isDone) this.#core.emit({ type: "done", ref });
    else this.#reject(ref, reason);
  }

  #reject(ref: number, reason: RejectReason): void {
    this.#core.emit({ type: "rejected", ref, reason });
  }

  #tags(ref: number, tags: Tags): void {
    const core = this.#core;
    if (core.leaving !== null) return this.#reject(ref, "leaving");
    if (tagsSize(tags) > core.options.limits.tagBytes) return this.#reject(ref, "too-large");
    changeSelf(core, { tags });
    core.emit({ type: "done", ref });
  }

  #timeout(): void {
    const core = this.#core;
    if (core.leaving?.phase === "left") return;
    if (core.probe !== null) onProbeDeadline(core, core.probe);
    if (core.now >= core.suspicionAtMs) onSuspicionTimeout(core);
    if (core.now >= core.leafCheckAtMs) onLeafTimeout(core);
    if (core.anchoring !== null) {
      if (core.now >= core.anchoring.atMs) onAnchorTimeout(core, core.anchoring);
    } else {
      if (core.now >= core.probeAtMs) onProbeTimeout(core);
      if (core.now >= core.gossipAtMs) onGossipTimeout(core);
    }
    if (core.now >= core.pushPullAtMs) onPushPullTimeout(core);
    if (core.now >= core.reconnectAtMs) onReconnectTimeout(core);
    if (core.now >= core.reapAtMs) onReapTimeout(core);
  }

  // --------------------------------------------------------------------------------------------------------- requests

  #request(id: number, from: string, message: Request): void {
    const core = this.#core;
    const { limits, allowedNetworks } = core.options;
    if (!isAllowedAddress(from, allowedNetworks)) {
      return this.#refuse(id, "address", `requests from ${from} are not allowed`);
    }
    if (!isRequest(message, limits)) return this.#refuse(id, "malformed", "malformed request");
    if (core.leaving?.phase === "left")
      return core.respond(id, { type: "refused", reason: "left", text: `'${core.name}' has left` });
    heardLeaf(core, message.from);
    switch (message.type) {
      case "ping":
        if (message.target !== core.name) {
          return this.#refuse(id, "wrong-target", `this is '${core.name}', not '${message.target}'`);
        }
        onUpdates(core, message.updates);
        return this.#acknowledge(id, message.from, message.received);
      case "rumours":
        onUpdates(core, message.updates);
        return this.#acknowledge(id, message.from, 0);
      case "indirect-ping":
        onUpdates(core, message.updates);
        return onIndirectPing(core, id, message);
      case "push-pull":
        return onPushPull(core, id, message);
      case "who-holds": {
        const member = core.table.get(message.name);
        const address = member !== undefined && isReachable(member) ? member.record.address : null;
        return core.respond(id, { type: "holder", from: core.name, address });
      }
    }
  }

  #refuse(id: number, reason: RefusalReason & DropReason, text: string): void {
    this.#core.drop(reason);
    this.#core.respond(id, { type: "refused", reason, text });
  }

  #acknowledge(id: number, to: string, received: number): void {
    const core = this.#core;
    const { updates, sequence } = answerUpdates(core, to, received);
    const coordinate = core.coordinates?.own ?? null;
    core.respond(id, { type: "ack", from: core.name, updates, coordinate, sequence });
  }

  // ---------------------------------------------------------------------------------------------------------- answers

  #reply(id: number, message: Answer, rttMs: number | undefined): void {
    const core = this.#core;
    const call = core.calls.get(id);
    if (call === undefined) return core.drop("unexpected");
    if (!isAnswer(message, core.options.limits)) {
      core.drop("malformed");
      return this.#failed(id, "unreachable");
    }
    core.calls.delete(id);
    if (message.type === "refused") core.queue.fail(call.items);
    else core.queue.acknowledge(call.items, core.retransmitLimit);
    if (message.type === "ack" || message.type === "nack") this.#hear(message.updates);
    this.#answered(call, message, null);
    if (call.purpose.type === "probe" && message.type === "ack") this.#measure(call, message, rttMs);
  }

  #failed(id: number, reason: FailureReason): void {
    const core = this.#core;
    const call = core.calls.get(id);
    if (call === undefined) return core.drop("unexpected");
    core.calls.delete(id);
    core.queue.fail(call.items);
    this.#answered(call, null, reason);
  }

  /** Updates of an answer. */
  #hear(updates: readonly Update[]): void {
    this.#core.isHearing = true;
    onUpdates(this.#core, updates);
    this.#core.isHearing = false;
  }

  /** State in an answer. */
  #merge(state: PoolState, isJoin: boolean, eventsFrom: number | null): Veto | null {
    this.#core.isHearing = true;
    const veto = mergeState(this.#core, state, isJoin, eventsFrom);
    this.#core.isHearing = false;
    return veto;
  }

  /** A call has ended: with `answer`, or else with `failure`. */
  #answered({ purpose }: Call, answer: Answer | null, failure: FailureReason | null): void {
    const core = this.#core;
    switch (purpose.type) {
      case "probe":
        onDirectAnswer(core, purpose.probe, answer);
        return;
      case "help":
        return onHelperAnswer(core, purpose.probe, answer, failure);
      case "relay":
        return onRelayed(core, purpose, answer);
      case "rumours":
        purpose.member.isBeingTold = false;
        return;
      case "push-pull":
        return this.#pulled(purpose, answer, failure);
      case "anchor":
        return onAnchorAnswer(core, purpose.anchoring, answer?.type === "ack" ? answer.sequence : null);
      case "re-anchor":
        purpose.anchoring.isCalling = false;
        if (answer?.type !== "push-pull-answer") return;
        this.#merge(answer.state, false, null);
        return setAnchor(core, purpose.anchoring, answer.from);
      case "verify":
        return onVerified(core, purpose.conflict, answer);
      case "vote":
        return onVote(core, purpose.conflict, answer);
    }
  }

  #pulled(
    purpose: Call["purpose"] & { type: "push-pull" },
    answer: Answer | null,
    failure: FailureReason | null,
  ): void {
    const core = this.#core;
    const { join, address } = purpose;
    if (answer?.type === "push-pull-answer") {
      const { state } = answer;
      const veto = this.#merge(state, join !== null, join?.ignoreOld === true ? state.eventTime : null);
      if (veto === null && core.anchoring?.anchor === null) setAnchor(core, core.anchoring, answer.from);
      if (join !== null) onJoinAnswer(core, join, veto === null ? null : { address, ...veto });
      return;
    }
    if (join === null) return;
    if (answer?.type === "refused") onJoinAnswer(core, join, { address, reason: answer.reason, text: answer.text });
    else onJoinAnswer(core, join, { address, reason: failure ?? "malformed", text: "" });
  }

  /** A probe's round trip places both in the network's space. */
  #measure({ purpose, sentMs }: Call, answer: Answer & { type: "ack" }, rttMs: number | undefined): void {
    const core = this.#core;
    assert(purpose.type === "probe", "only direct probes are measured");
    const { member } = purpose.probe;
    if (core.coordinates === null || answer.coordinate === null || answer.from !== member.record.name) return;
    const rttS = (rttMs ?? core.now - sentMs) / 1000;
    if (core.coordinates.update(answer.from, answer.coordinate, rttS)) member.coordinate = answer.coordinate;
    else core.drop("malformed");
  }

  // ------------------------------------------------------------------------------------------------- the end of a step

  #finish(): void {
    const core = this.#core;
    if (core.leaving !== null) settleLeave(core, core.leaving);
    this.#setTimers();
    this.#deadlineMs = this.#nextMs();
  }

  /** Timers that make no sense alone, or while nobody is gone, do not run: such a member may sleep. */
  #setTimers(): void {
    const core = this.#core;
    const { timings, random, table } = core;
    const isInCompany = table.reachable > 1;
    if (isInCompany && !this.#isInCompany) {
      // By chance, so that members that start together do not act together.
      core.probeAtMs = core.now + random.float() * timings.probeIntervalMs;
      const pushPullMs = pushPullScale(timings.pushPullIntervalMs, table.reachable);
      core.pushPullAtMs = core.now + random.float() * pushPullMs;
      if (core.queue.size > 0 && core.gossipAtMs === Infinity) core.gossipAtMs = core.now;
    } else if (!isInCompany && this.#isInCompany) {
      core.probeAtMs = Infinity;
      core.pushPullAtMs = Infinity;
    }
    this.#isInCompany = isInCompany;
    const isAnybodyGone = table.size > table.reachable || core.recentIntents.size > 0;
    if (isAnybodyGone && core.reapAtMs === Infinity) {
      core.reapAtMs = core.now + timings.reapIntervalMs;
      core.reconnectAtMs = core.now + timings.reconnectIntervalMs;
    } else if (!isAnybodyGone) {
      core.reapAtMs = Infinity;
      core.reconnectAtMs = Infinity;
    }
  }

  #nextMs(): number {
    const core = this.#core;
    if (!core.isStarted || core.leaving?.phase === "left") return Infinity;
    const slow = Math.min(core.suspicionAtMs, core.leafCheckAtMs, core.pushPullAtMs, core.reapAtMs, core.reconnectAtMs);
    const leave = core.leaving?.deadlineMs ?? Infinity;
    if (core.anchoring !== null) return Math.min(slow, leave, core.anchoring.atMs);
    const probe = core.probe === null ? Infinity : Math.min(core.probe.helpAtMs, core.probe.deadlineMs);
    return Math.min(slow, leave, probe, core.probeAtMs, core.gossipAtMs);
  }

  // ----------------------------------------------------------------------------------------------------------- status

  get name(): string {
    return this.#core.name;
  }
  get self(): MemberView {
    return viewOf(this.#core.self);
  }
  /** All known, sorted by name, this one among them. */
  get members(): MemberView[] {
    return this.#core.table.all.map(viewOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  /** How many members have each status. */
  get counts(): Readonly<Record<MemberStatus, number>> {
    const counts: Record<MemberStatus, number> = { alive: 0, leaving: 0, left: 0, failed: 0 };
    for (const member of this.#core.table.all) counts[statusOf(member)] += 1;
    return counts;
  }
  /** Local health: 0 is healthy. */
  get healthScore(): number {
    return this.#core.awareness.score;
  }
  /** Lamport time of intents. */
  get memberTime(): number {
    return this.#core.clock.time;
  }
  /** Lamport time of user events. */
  get eventTime(): number {
    return this.#core.eventClock.time;
  }
  /** Updates that wait to be spread. */
  get queueDepths(): QueueDepths {
    return { ...this.#core.queue.depths };
  }
  /** This member's network coordinate; null when there are none. */
  get coordinate(): Coordinate | null {
    return this.#core.coordinates?.own ?? null;
  }
  /** How often the coordinate ran away and began anew. */
  get coordinateResets(): number {
    return this.#core.coordinates?.resets ?? 0;
  }
  /** The `left` effect was given. */
  get hasLeft(): boolean {
    return this.#core.leaving?.phase === "left";
  }
  /** True for a member that nobody can call. */
  get isLeaf(): boolean {
    return isLeaf(this.#core.self.record);
  }
  /** What was thrown away, by reason, since the start. */
  get dropped(): Readonly<Record<DropReason, number>> {
    return this.#core.dropped;
  }

  /** The member of this name, as it is known here. */
  member(name: string): MemberView | null {
    const member = this.#core.table.get(name);
    return member === undefined ? null : viewOf(member);
  }

  /** Its coordinate as of its last answer to a probe from here; of this member itself: its own. */
  coordinateOf(name: string): Coordinate | null {
    if (name === this.#core.name) return this.coordinate;
    return this.#core.table.get(name)?.coordinate ?? null;
  }
}
