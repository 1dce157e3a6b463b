// Runs a program (script checks, handlers of watches) by `node:child_process`: without a shell, in a group of its own, its
// output cut to the last bytes. It ends with the program: what the program left running in the background may go on.
import { type ChildProcess, spawn } from "node:child_process";
import type { ExecOptions, ExecResult } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";

/** How long output is waited for once the program has ended: a child of its own may hold it open for ever. */
const OUTPUT_GRACE_MS = 200;
/** How long a killed program is waited for: one that hangs in the kernel cannot be killed. */
const KILL_GRACE_MS = 5000;

/** @throws OperationalError `refused` when the program cannot be started. */
export function runProgram(args: readonly string[], options: ExecOptions): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const why = WHY[error.code ?? ""] ?? error.message;
      reject(new OperationalError("refused", `exec: ${JSON.stringify(args[0])}: ${why}`, { cause: error }));
    };
    try {
      const run = new Run(start(args, options), options, resolve);
      run.follow(failed);
    } catch (error) {
      failed(error as NodeJS.ErrnoException);
    }
  });
}

const WHY: Record<string, string> = { ENOENT: "executable file not found in $PATH", EACCES: "permission denied" };

function start([command = "", ...rest]: readonly string[], { env }: ExecOptions): ChildProcess {
  return spawn(command, rest, {
    // A group of its own, so that what the program started can be ended with it.
    detached: true,
    env: env === undefined ? process.env : { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** One run, from the start of the program to its result. */
class Run {
  readonly #child: ChildProcess;
  readonly #options: ExecOptions;
  readonly #tail: Tail;
  readonly #resolve: (result: ExecResult) => void;
  readonly #kill = (): void => this.#killGroup();
  #timer: NodeJS.Timeout | undefined;
  #timedOut = false;
  #exitCode: number | null = null;
  #ended = false;

  constructor(child: ChildProcess, options: ExecOptions, resolve: (result: ExecResult) => void) {
    this.#child = child;
    this.#options = options;
    this.#tail = new Tail(options.outputBytes);
    this.#resolve = resolve;
  }

  /** @param failed is called instead when the program could not be started. */
  follow(failed: (error: NodeJS.ErrnoException) => void): void {
    const { timeoutMs, stdin, signal } = this.#options;
    const child = this.#child;
    this.#timer = setTimeout(() => {
      this.#timedOut = true;
      this.#killGroup();
    }, timeoutMs);
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Uint8Array) => this.#tail.push(chunk));
    child.on("error", (error: NodeJS.ErrnoException) => {
      // A signal that does not arrive is an error too, but no failure to start.
      if (child.pid !== undefined) return;
      this.#end();
      failed(error);
    });
    child.once("exit", (code) => {
      this.#exitCode = code;
      this.#wait(OUTPUT_GRACE_MS);
    });
    child.once("close", () => this.#finish());
    // A program that does not read what it is given is none of our business.
    child.stdin?.on("error", () => {});
    child.stdin?.end(stdin);
    if (signal?.aborted === true) this.#killGroup();
    else signal?.addEventListener("abort", this.#kill, { once: true });
  }

  #killGroup(): void {
    const { pid } = this.#child;
    this.#wait(KILL_GRACE_MS);
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      this.#child.kill("SIGKILL");
    }
  }

  /** Ends the run in `ms` at the latest. */
  #wait(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(() => this.#finish(), ms);
  }

  #finish(): void {
    if (this.#ended) return;
    this.#end();
    this.#resolve({
      exitCode: this.#exitCode,
      timedOut: this.#timedOut,
      output: this.#tail.bytes(),
      outputTotal: this.#tail.total,
    });
  }

  #end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#kill);
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }
}

/** The last bytes of a stream. */
class Tail {
  readonly #max: number;
  #chunks: Uint8Array[] = [];
  #kept = 0;
  total = 0;

  constructor(max: number) {
    this.#max = max;
  }

  push(chunk: Uint8Array): void {
    this.total += chunk.length;
    this.#chunks.push(chunk);
    this.#kept += chunk.length;
    while (this.#chunks.length > 1 && this.#kept - (this.#chunks[0] as Uint8Array).length >= this.#max)
      this.#kept -= (this.#chunks.shift() as Uint8Array).length;
  }

  bytes(): Uint8Array {
    const all = Buffer.concat(this.#chunks);
    return new Uint8Array(all.subarray(Math.max(0, all.length - this.#max)));
  }
}
