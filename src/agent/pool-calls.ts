// A pool's calls to other members: a request of the gossip machine to bytes, and what came of it to the machine's input. Why
// a join failed is kept in the words of whoever knows, since the machine only has reasons.
import { decodeAnswer, encodeRequest } from "../codec/gossip-message.ts";
import type { FailureReason, GossipEffect, GossipInput, JoinFailure, PoolState } from "../gossip/types.ts";
import type { Peers, Platform } from "../platform.ts";
import { OperationalError } from "../types/error.ts";
import { concat } from "../util/bytes.ts";
import { decodeReply } from "../rpc/envelope.ts";
import type { Logger } from "./logs.ts";
import type { PoolInstruments } from "./pool-instruments.ts";
import { openAnswer, type PoolScope, requestHead } from "./pool-envelope.ts";

/** What calls are made with. */
export interface PoolCallsOptions {
  readonly scope: PoolScope;
  readonly path: string;
  readonly self: { readonly name: string; readonly address: string };
  readonly platform: Pick<Platform, "now">;
  readonly peers: Peers;
  readonly log: Logger;
  readonly instruments: Pick<PoolInstruments, "connect" | "sent">;
}

/** The way out of one pool. */
export class PoolCalls {
  readonly #options: PoolCallsOptions;
  readonly #head: Uint8Array;
  /** By address, for joins that have not ended. */
  readonly #joinErrors = new Map<string, string>();

  constructor(options: PoolCallsOptions) {
    this.#options = options;
    this.#head = requestHead(options.scope);
  }

  /** Calls, and gives what the machine is to be told. Never rejects. */
  async call({ id, to, message, timeoutMs }: GossipEffect & { type: "call" }): Promise<GossipInput> {
    const { peers, platform, path } = this.#options;
    const isJoin = message.type === "push-pull" && message.join;
    const failed = (reason: FailureReason, text: string): GossipInput => {
      if (isJoin) this.#joinErrors.set(to, text);
      return { type: "failed", id, reason };
    };
    let sentMs = platform.now();
    const sending = (): void => {
      sentMs = platform.now();
    };
    let bytes: Uint8Array;
    try {
      const body = concat([this.#head, encodeRequest(message)]);
      this.#options.instruments.connect.add(1);
      this.#options.instruments.sent.add(body.length);
      bytes = await peers.call(to, path, body, timeoutMs, sending);
    } catch (error) {
      if (!(error instanceof OperationalError)) this.#options.log.error("a call failed: this is a bug", { error });
      return failed(failureOf(error), (error as Error).message);
    }
    const rttMs = platform.now() - sentMs;
    const opened = openAnswer(bytes);
    const answer = opened === null ? null : decodeAnswer(opened);
    if (answer === null)
      return failed("unreachable", refusalIn(bytes) ?? "its answer cannot be read: is it an agent of another version?");
    if (isJoin && answer.type === "push-pull-answer" && this.#isOwn(answer.state))
      return failed("unreachable", "this is the agent itself");
    return { type: "reply", id, message: answer, rttMs };
  }

  /** The failures of a join that has ended, with words where the machine had none. */
  explain(failures: readonly JoinFailure[]): JoinFailure[] {
    return failures.map((failure) => {
      const text = failure.text || (this.#joinErrors.get(failure.address) ?? "");
      this.#joinErrors.delete(failure.address);
      return { ...failure, text };
    });
  }

  /** A name may resolve to this very agent, alone: that is nobody to have joined. */
  #isOwn({ members }: PoolState): boolean {
    const { name, address } = this.#options.self;
    return members.length > 0 && members.every(({ member }) => member.name === name && member.address === address);
  }
}

function failureOf(error: unknown): FailureReason {
  if (!(error instanceof OperationalError)) return "unreachable";
  if (error.code === "timeout") return "timeout";
  return error.isRefused ? "refused" : "unreachable";
}

/** The words of an agent that refuses all calls, such as one that takes encrypted ones only. */
function refusalIn(bytes: Uint8Array): string | null {
  try {
    decodeReply(bytes);
    return null;
  } catch (error) {
    return error instanceof OperationalError && error.code === "refused" ? error.message : null;
  }
}
