// What the tests of the agent's local state share: definitions as the API takes them, virtual time, a recording logger.
import { decodeCheckDefinition } from "../../src/config/check-definition.ts";
import { decodeServiceDefinition } from "../../src/config/service-definition.ts";
import type { LocalChange, LocalState } from "../../src/agent/local-state.ts";
import type { Logger } from "../../src/agent/logs.ts";
import {
  type CheckRegistration,
  checkRegistration,
  type ServiceRegistration,
  serviceRegistration,
  type Source,
} from "../../src/agent/registration.ts";
import { Timers } from "../../src/host/timers.ts";

/** A service as the body of `/v1/agent/service/register` has it. */
export function service(
  body: Record<string, unknown>,
  source: Source = "remote",
  replace = false,
): ServiceRegistration {
  return serviceRegistration(decodeServiceDefinition(body, { source: "http" }), source, "", replace);
}

/** A check as the body of `/v1/agent/check/register` has it. */
export function check(body: Record<string, unknown>): CheckRegistration {
  return checkRegistration(decodeCheckDefinition(body, { source: "http" }));
}

/** Every change of `local` from now on, a line each. */
export function changesOf(local: LocalState): string[] {
  const lines: string[] = [];
  local.subscribe((change) => lines.push(shown(change)));
  return lines;
}

function shown(change: LocalChange): string {
  if (change.type === "check-status") {
    const { Status, Output } = change.record.check;
    return `${change.type} ${change.id} ${Status} ${JSON.stringify(Output)} ${change.sync}${change.statusChanged ? " changed" : ""}`;
  }
  return `${change.type} ${change.id}${change.persist ? " persist" : ""}`;
}

/** A logger and what it was told, a line each: level, message, fields. */
export function recordingLogger(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const take =
    (level: string) =>
    (message: string, fields?: Record<string, unknown>): void => {
      const shown = Object.entries(fields ?? {}).map(
        ([name, value]) => ` ${name}=${value instanceof Error ? value.message : String(value)}`,
      );
      lines.push(`${level} ${message}${shown.join("")}`);
    };
  const [trace, debug, info, warn, error] = ["trace", "debug", "info", "warn", "error"].map(take);
  return { logger: { trace, debug, info, warn, error } as Logger, lines };
}

/** A clock that only moves when told, and the timers on it. */
export class VirtualTime {
  readonly timers: Timers;
  #now = 0;
  #wakeAt: number | null = null;

  constructor() {
    this.timers = new Timers(this);
  }

  now(): number {
    return this.#now;
  }

  wakeAt(at: number | null): void {
    this.#wakeAt = at;
  }

  /** Lets time pass, timer by timer; what each of them set going settles before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    while (this.#wakeAt !== null && this.#wakeAt <= end) {
      this.#now = Math.max(this.#now, this.#wakeAt);
      this.#wakeAt = null;
      this.timers.wake();
      await settle();
    }
    this.#now = end;
  }
}

/** Waits until nothing that is in memory has anything left to do. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}
