// What is said to the server whose Raft messages came: it goes back in the reply to them. The reply to entries waits for the
// disk, so that it can say that they are durable, and the answer needs no call of its own; not for long, since the sender
// sends nothing more on that lane before the reply has come.
import type { Timer, Timers } from "../host/timers.ts";
import type { Message } from "../raft/types.ts";

/** How long a reply waits for the disk; what is said later goes by a call of its own. */
const HELD_MS = 20;

/** One reply. */
export class MessageReply {
  readonly to: string;
  readonly messages: Message[] = [];
  readonly #timers: Timers;
  #timer: Timer | null = null;
  #resolve: ((messages: readonly Message[]) => void) | null = null;

  constructor(to: string, timers: Timers) {
    this.to = to;
    this.#timers = timers;
  }

  /** It waits, and takes what is said meanwhile. */
  get isHeld(): boolean {
    return this.#resolve !== null;
  }

  /** Waits until something is said, or for so long. */
  hold(): Promise<readonly Message[]> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#timer = this.#timers.after(HELD_MS, () => this.end());
    });
  }

  /** Something is said. */
  say(message: Message): void {
    // What else is said in this turn goes with it.
    if (this.isHeld && this.messages.length === 0) void Promise.resolve().then(() => this.end());
    this.messages.push(message);
  }

  /** It goes as it is. */
  end(): void {
    this.#timers.cancel(this.#timer);
    this.#resolve?.(this.messages);
    this.#resolve = null;
  }
}
