// Where log lines go: standard output, and a file that is rotated by size and by age (Consul: log_file, log_rotate_*).
import { closeSync, openSync, readdirSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import type { LogEvent, LogLevel, ReportEvent } from "../../src/platform.ts";
import { atLeast, formatJson, formatText } from "../../src/agent/logs.ts";
import { OperationalError } from "../../src/types/error.ts";

export interface LogSinkOptions {
  level: LogLevel;
  json: boolean;
  /** "" for none; a directory (ending in a slash) gets a file `consul.log`. */
  file: string;
  /** 0 for no limit. */
  rotateBytes: number;
  /** 0 for 24 hours. */
  rotateDurationMs: number;
  /** 0 keeps all, negative none. */
  rotateMaxFiles: number;
}

const DAY_MS = 24 * 3600_000;

export class LogSink {
  #options: LogSinkOptions;
  readonly #file: LogFile | null;

  /** @throws OperationalError when the file cannot be written to. */
  constructor(options: LogSinkOptions) {
    this.#options = options;
    this.#file = options.file === "" ? null : new LogFile(options);
  }

  /** A reload may change the level. */
  set level(level: LogLevel) {
    this.#options = { ...this.#options, level };
  }

  readonly report = (event: ReportEvent): void => {
    if (event.type === "log" && atLeast(event.level, this.#options.level)) this.#write(event);
  };

  #write(event: LogEvent): void {
    const now = Date.now();
    const line = `${this.#options.json ? formatJson(event, now) : formatText(event, now)}\n`;
    process.stdout.write(line);
    this.#file?.write(line, now);
  }
}

class LogFile {
  readonly #path: string;
  readonly #options: LogSinkOptions;
  #descriptor: number;
  #bytes = 0;
  #openedAt = Date.now();

  constructor(options: LogSinkOptions) {
    this.#options = options;
    this.#path = options.file.endsWith("/") ? join(options.file, "consul.log") : options.file;
    this.#descriptor = this.#open();
  }

  write(line: string, now: number): void {
    const { rotateBytes, rotateDurationMs } = this.#options;
    const isOld = now - this.#openedAt >= (rotateDurationMs || DAY_MS);
    if (isOld || (rotateBytes > 0 && this.#bytes + line.length > rotateBytes && this.#bytes > 0)) this.#rotate(now);
    try {
      this.#bytes += writeSync(this.#descriptor, line);
    } catch {
      // A log that cannot be written must not stop the agent: standard output still has the line.
    }
  }

  #open(): number {
    try {
      return openSync(this.#path, "a", 0o640);
    } catch (error) {
      throw new OperationalError(
        "storage-failed",
        `failed to open log file ${this.#path}: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }

  #rotate(now: number): void {
    const suffix = extname(this.#path);
    const stem = this.#path.slice(0, this.#path.length - suffix.length);
    try {
      closeSync(this.#descriptor);
      renameSync(this.#path, `${stem}-${now}000000${suffix}`);
      this.#descriptor = this.#open();
      this.#prune(stem, suffix);
    } catch {
      // As above.
    }
    this.#bytes = 0;
    this.#openedAt = now;
  }

  #prune(stem: string, suffix: string): void {
    const { rotateMaxFiles } = this.#options;
    if (rotateMaxFiles === 0) return;
    const prefix = `${basename(stem)}-`;
    const old = readdirSync(dirname(stem))
      .filter(
        (name) =>
          name.startsWith(prefix) &&
          name.endsWith(suffix) &&
          /^\d+$/.test(name.slice(prefix.length, name.length - suffix.length)),
      )
      .sort();
    const kept = Math.max(0, rotateMaxFiles);
    for (const name of old.slice(0, old.length - kept)) unlinkSync(join(dirname(stem), name));
  }
}
