// The agent's log: one line per event in hclog's form, which Consul's users and their tools read, handed to the platform
// and to whoever follows the log by `/v1/agent/monitor`.
import type { LogEvent, LogLevel, Platform } from "../platform.ts";

const LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error"];
const TAGS: Record<LogLevel, string> = {
  trace: "[TRACE]",
  debug: "[DEBUG]",
  info: "[INFO] ",
  warn: "[WARN] ",
  error: "[ERROR]",
};

/** True when an event of `level` is to be shown at threshold `least`. */
export const atLeast = (level: LogLevel, least: LogLevel): boolean => LEVELS.indexOf(level) >= LEVELS.indexOf(least);

/** `2026-01-02T15:04:05.000Z [INFO]  agent.server: message: key=value`. */
export function formatText(event: LogEvent, wallMs: number): string {
  const time = new Date(wallMs).toISOString();
  let line = `${time} ${TAGS[event.level]} ${event.module}: ${event.message}`;
  if (event.fields !== undefined) {
    const fields = Object.entries(event.fields).map(([key, value]) => `${key}=${quoted(value)}`);
    if (fields.length > 0) line += `: ${fields.join(" ")}`;
  }
  // One event is one line, whatever a user put into a name.
  return line.replaceAll("\n", String.raw`\n`).replaceAll("\r", String.raw`\r`);
}

/** One JSON object a line, with hclog's keys. */
export function formatJson(event: LogEvent, wallMs: number): string {
  return JSON.stringify({
    "@level": event.level,
    "@message": event.message,
    "@module": event.module,
    "@timestamp": new Date(wallMs).toISOString(),
    ...event.fields,
  });
}

function quoted(value: unknown): string {
  const text = value instanceof Error ? value.message : typeof value === "string" ? value : JSON.stringify(value);
  return text === "" || /[\s"=]/.test(text) ? JSON.stringify(text) : text;
}

interface Follower {
  readonly least: LogLevel;
  readonly take: (event: LogEvent, wallMs: number) => void;
}

/** Where every part of an agent logs to. */
export class Logs {
  readonly #platform: Pick<Platform, "report" | "wall">;
  readonly #followers = new Set<Follower>();

  constructor(platform: Pick<Platform, "report" | "wall">) {
    this.#platform = platform;
  }

  /** Reports one event; `module` is a logger's name such as `agent.server`. */
  log(level: LogLevel, module: string, message: string, fields?: Record<string, unknown>): void {
    const event: LogEvent =
      fields === undefined ? { type: "log", level, module, message } : { type: "log", level, module, message, fields };
    this.#platform.report(event);
    if (this.#followers.size === 0) return;
    const wallMs = this.#platform.wall();
    for (const follower of this.#followers) if (atLeast(level, follower.least)) follower.take(event, wallMs);
  }

  /** A logger for one module. */
  logger(module: string): Logger {
    return {
      trace: (message, fields) => this.log("trace", module, message, fields),
      debug: (message, fields) => this.log("debug", module, message, fields),
      info: (message, fields) => this.log("info", module, message, fields),
      warn: (message, fields) => this.log("warn", module, message, fields),
      error: (message, fields) => this.log("error", module, message, fields),
    };
  }

  /** Hands every event of level `least` and above to `take` until the returned function is called. */
  follow(least: LogLevel, take: (event: LogEvent, wallMs: number) => void): () => void {
    const follower: Follower = { least, take };
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}

type LogMethod = (message: string, fields?: Record<string, unknown>) => void;
/** Logs under one module's name. */
export interface Logger {
  trace: LogMethod;
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
}
