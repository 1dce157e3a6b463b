// Drives one machine (architecture: a class with `step(now, input) → effects` and `deadline`): feeds it inputs in order,
// hands out its effects, and keeps the one timer set for its deadline. A machine that throws is a bug: the host stops it
// and says so, and never calls it again.
import type { Platform } from "../platform.ts";
import type { Timer, Timers } from "./timers.ts";

/** The contract every machine keeps: synchronous, no I/O, no clock, no global randomness. */
export interface Machine<Input, Effect> {
  step(now: number, input: Input): Effect[];
  /** When it next wants `timeout` as an input; null means only when there is input. */
  readonly deadline: number | null;
}

export interface MachineHostOptions<Input, Effect> {
  machine: Machine<Input, Effect>;
  platform: Pick<Platform, "now">;
  timers: Timers;
  /** The input that tells the machine its deadline has come. */
  timeout: Input;
  /** Its deadline outlasts a sleep of the agent: the machine is given it again by who starts it. */
  lasting?: boolean;
  /** Carries out one effect. What it dispatches meanwhile is queued, so effects of one step stay together. */
  perform(effect: Effect): void;
  /** Called once, when the machine threw. */
  failed(error: unknown): void;
}

export class MachineHost<Input, Effect> {
  readonly #options: MachineHostOptions<Input, Effect>;
  readonly #queue: Input[] = [];
  #running = false;
  #stopped = false;
  #timer: Timer | null = null;

  constructor(options: MachineHostOptions<Input, Effect>) {
    this.#options = options;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Feeds one input; its effects have been handed out when this returns, unless called from within an effect. */
  dispatch(input: Input): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#queue.push(input);
      return;
    }
    this.#running = true;
    try {
      this.#step(input);
      for (let next = this.#queue.shift(); next !== undefined && !this.#stopped; next = this.#queue.shift())
        this.#step(next);
    } finally {
      this.#running = false;
    }
    this.#schedule();
  }

  /** Stops for good: no further input is taken and no timer is left. */
  stop(): void {
    this.#stopped = true;
    this.#queue.length = 0;
    this.#options.timers.cancel(this.#timer);
    this.#timer = null;
  }

  #step(input: Input): void {
    const { machine, platform, perform } = this.#options;
    let effects: Effect[];
    try {
      effects = machine.step(platform.now(), input);
    } catch (error) {
      this.stop();
      this.#options.failed(error);
      return;
    }
    for (const effect of effects) {
      if (this.#stopped) return;
      perform(effect);
    }
  }

  #schedule(): void {
    const { machine, timers, timeout } = this.#options;
    const deadline = this.#stopped ? null : machine.deadline;
    if (this.#timer?.pending === true && this.#timer.at === deadline) return;
    timers.cancel(this.#timer);
    const lasting = this.#options.lasting ?? false;
    this.#timer = deadline === null ? null : timers.at(deadline, () => this.dispatch(timeout), lasting);
  }
}
