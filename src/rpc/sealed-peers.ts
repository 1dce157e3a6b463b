// Encrypted calls between agents, below `PeerClient` and `PeerDoor`: `SealedPeers` seals what goes out and opens the answers,
// `SealedDoor` opens what comes in and seals what it is answered. An agent without a key passes all on as it is.
//
// A call is sealed for one life of one agent. Who does not know who is at an address asks with an empty call for nobody: the
// answer says who is there. So does the answer to a call for who was there before; the call is then sealed anew.
//
// What cannot be opened is answered in the clear with why in one byte, the same for all that fails to open; what was opened and
// is refused nevertheless (another clock, a replay) with a sealed text. Both sides log it, at most every few seconds.
import type { Peers, Platform } from "../platform.ts";
import { OperationalError } from "../types/error.ts";
import { equal } from "../util/bytes.ts";
import { Generations } from "../util/generations.ts";
import { decodeReply, encodeError } from "./envelope.ts";
import type { RefusalLog } from "./refusal-log.ts";
import { CLOCK_SKEW_MS, NOBODY, type OpenedAnswer, type OpenedRequest, type Seal, type SealedRequest } from "./seal.ts";
import {
  ANSWER,
  decodeNotice,
  encodeNotice,
  isSealed,
  NO_KEY,
  NOT_OURS,
  OTHER_TARGET,
  REFUSAL,
  UNREADABLE,
} from "./sealed-form.ts";

/** Answers a call from an IP address. Never rejects. */
export type DoorHandle = (path: string, bytes: Uint8Array, from: string) => Promise<Uint8Array>;

/** What both directions need. */
export interface SealedOptions {
  seal: Seal;
  now: Platform["now"];
  wall: Platform["wall"];
  refusals: RefusalLog;
}

/** Addresses whose agents are remembered. */
const ADDRESSES_MAX = 8192;
/** Several agents may answer at one address, each of them in turn. */
const TRIES = 4;
const EMPTY = new Uint8Array(0);

const NOTICES: ReadonlyMap<number, string> = new Map([
  [NOT_OURS, "no key installed there opens what this agent sends: give both agents the same `encrypt` key"],
  [UNREADABLE, "the agent there encrypts in another form: its version is another"],
  [NO_KEY, "the agent there has no `encrypt` key, and this one has: give it the same key"],
]);

/** The way out of an agent with a key. */
export class SealedPeers implements Peers {
  readonly #peers: Peers;
  readonly #options: SealedOptions;
  /** Who answered last at an address. */
  readonly #targets = new Generations<string, Uint8Array>(ADDRESSES_MAX);

  constructor(peers: Peers, options: SealedOptions) {
    this.#peers = peers;
    this.#options = options;
  }

  /** @throws as `Peers.call`; `refused` when the peer does not take what this agent seals. */
  async call(
    address: string,
    path: string,
    body: Uint8Array,
    timeoutMs: number,
    sending?: () => void,
  ): Promise<Uint8Array> {
    const { seal, now } = this.#options;
    const endMs = now() + timeoutMs;
    for (let tries = 0; tries < TRIES; tries += 1) {
      const leftMs = endMs - now();
      if (leftMs <= 0) break;
      const target = this.#targets.get(address) ?? NOBODY;
      const request = await seal.request(path, target, target === NOBODY ? EMPTY : body);
      const answer = await this.#exchange(address, path, request, target, leftMs, sending);
      if (answer.kind === OTHER_TARGET) this.#targets.set(address, answer.from);
      else if (answer.kind === ANSWER && target !== NOBODY) return answer.body;
      else throw this.#refused(address, answer);
    }
    throw new OperationalError("unreachable", `${address}: other agents answered there in turn, or none in time`);
  }

  async #exchange(
    address: string,
    path: string,
    request: SealedRequest,
    target: Uint8Array,
    timeoutMs: number,
    sending: (() => void) | undefined,
  ): Promise<OpenedAnswer> {
    let reply: Uint8Array;
    try {
      reply = await this.#peers.call(address, path, request.bytes, timeoutMs, sending);
    } catch (error) {
      // What was asked of nobody has been done by nobody.
      if (target !== NOBODY || !(error instanceof OperationalError)) throw error;
      throw new OperationalError("unreachable", error.message, { cause: error, isRefused: error.isRefused });
    }
    const answer = await this.#options.seal.openAnswer(path, request, reply);
    if (answer !== null) return answer;
    const why =
      NOTICES.get(decodeNotice(reply) ?? 0) ??
      (isSealed(reply)
        ? "what came is no answer to what was asked, or is sealed with another key"
        : "it answered in the clear: this agent has an `encrypt` key, the program there none");
    this.#options.refusals.note(address, why);
    // Anybody may have written this: it proves nothing about what was done, and may not lead to a second try.
    throw new OperationalError("refused", `${address}: ${why}`);
  }

  #refused(address: string, { kind, body, name }: OpenedAnswer): OperationalError {
    let why = "it answered what was not asked";
    if (kind === REFUSAL) {
      try {
        decodeReply(body);
      } catch (error) {
        if (error instanceof OperationalError) {
          this.#options.refusals.note(address, error.message);
          return new OperationalError(error.code, `${address} (${name}): ${error.message}`);
        }
      }
    } else this.#options.refusals.note(address, why);
    return new OperationalError("refused", `${address} (${name}): ${why}`);
  }
}

/** The way in of an agent with a key. */
export class SealedDoor {
  readonly #handle: DoorHandle;
  readonly #options: SealedOptions;
  readonly #takesClear: boolean;

  /** @param takesClear whether calls in the clear are answered too (`encrypt_verify_incoming` is false). */
  constructor(handle: DoorHandle, options: SealedOptions, takesClear: boolean) {
    this.#handle = handle;
    this.#options = options;
    this.#takesClear = takesClear;
  }

  /** Answers a call. Never rejects. */
  handle(path: string, bytes: Uint8Array, from: string): Promise<Uint8Array> {
    if (isSealed(bytes)) return this.#open(path, bytes, from);
    if (this.#takesClear) return this.#handle(path, bytes, from);
    this.#options.refusals.note(from, "a call in the clear: the agent there has no `encrypt` key");
    return Promise.resolve(encodeError(inTheClear()));
  }

  async #open(path: string, bytes: Uint8Array, from: string): Promise<Uint8Array> {
    const { seal, refusals } = this.#options;
    const request = await seal.openRequest(path, bytes);
    if (request === "not-ours") {
      refusals.note(from, "No installed keys could decrypt the message: the agent there has another `encrypt` key");
      return encodeNotice(NOT_OURS);
    }
    if (request === "unreadable") {
      refusals.note(from, "an encrypted call of another form: the agent there has another version");
      return encodeNotice(UNREADABLE);
    }
    if (request.outcome === "opened") {
      const answer = await this.#handle(path, request.body, from);
      return seal.answer(ANSWER, path, request, answer);
    }
    if (request.outcome === "other-target") {
      // That nobody is asked is how every acquaintance begins; for another life is what comes after a restart.
      if (!equal(request.message.to, NOBODY)) refusals.count += 1;
      return seal.answer(OTHER_TARGET, path, request, EMPTY);
    }
    const refusal = this.#refusal(request);
    refusals.note(from, `from ${request.message.name}: ${refusal.message}`);
    return seal.answer(REFUSAL, path, request, encodeError(refusal));
  }

  #refusal({ outcome, message }: OpenedRequest): OperationalError {
    if (outcome === "clock")
      return new OperationalError(
        "refused",
        `the clocks differ by more than ${CLOCK_SKEW_MS / 1000} s, or the call was held up or replayed: ` +
          `it was sealed at ${new Date(message.timeMs).toISOString()} and came at ${new Date(this.#options.wall()).toISOString()}`,
      );
    // The first of the two may have been carried out.
    return new OperationalError("outcome-unknown", "the call came before, or long after later ones: a replay");
  }
}

/** What an agent without a key answers to an encrypted call; null when it is none. */
export function noKeyHere(bytes: Uint8Array): Promise<Uint8Array> | null {
  return isSealed(bytes) ? Promise.resolve(encodeNotice(NO_KEY)) : null;
}

function inTheClear(): OperationalError {
  return new OperationalError(
    "refused",
    "this agent takes encrypted calls only: give the agent that calls the same `encrypt` key " +
      "(while keys are being given out, encrypt_verify_incoming = false here lets calls in the clear pass)",
  );
}
