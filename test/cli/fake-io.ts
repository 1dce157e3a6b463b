// A scripted place for the command line: memory files, a fake agent, children that do what a test says, a clock of its own.
import { runCli } from "../../src/cli/run.ts";
import type {
  ChildExit,
  ChildHandle,
  CliIo,
  CliSignal,
  FileInfo,
  SpawnOptions,
  VersionInfo,
} from "../../src/cli/io.ts";
import type { Answer, Responder } from "../client/fake-agent.ts";
import { FakeAgent } from "../client/fake-agent.ts";

export interface Spawned {
  args: readonly string[];
  options: SpawnOptions;
  killed: string[];
  end(exit: ChildExit): void;
}

export class FakeIo implements CliIo {
  readonly args: readonly string[];
  env: Record<string, string | undefined> = {};
  readonly version: VersionInfo = { version: "1.2.3-dev", revision: "abcdef0", buildDate: "2026-01-02T03:04:05Z" };
  readonly agent: FakeAgent;
  readonly files: Map<string, Uint8Array> = new Map();
  readonly modes: Map<string, number | undefined> = new Map();
  input: Uint8Array = new Uint8Array(0);
  readonly children: Spawned[] = [];
  /** Called at each spawn; ends the child with code 0 when not set. */
  onSpawn: (child: Spawned) => void = (child) => child.end({ code: 0, signal: null });
  /** Places by URL; this runtime has none unless a test gives it some. */
  storage?: CliIo["storage"];
  agentRuns: (readonly string[])[] = [];
  readonly #out: Uint8Array[] = [];
  err = "";
  #signalListeners = new Set<(signal: CliSignal) => void>();
  #now = 0;
  /** Sleeps that have not ended. The clock jumps to the earliest whenever nothing else is left to do. */
  readonly sleeps: Set<{ until: number; wake(): void }> = new Set();

  constructor(args: readonly string[], answer: Responder | Record<string, Answer | unknown[] | string> = {}) {
    this.args = args;
    this.agent = new FakeAgent(answer);
  }

  get fetch(): FakeAgent["fetch"] {
    return this.agent.fetch;
  }
  get out(): string {
    return Buffer.concat(this.#out).toString();
  }
  stdout(chunk: string | Uint8Array): void {
    this.#out.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  }
  stderr(text: string): void {
    this.err += text;
  }
  async stdin(): Promise<Uint8Array> {
    return this.input;
  }
  async readFile(path: string): Promise<Uint8Array> {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new Error(`open ${path}: no such file or directory`);
    return bytes;
  }
  async writeFile(path: string, content: Uint8Array | ReadableStream<Uint8Array>, mode?: number): Promise<void> {
    const bytes = new Uint8Array(await new Response(content as BodyInit).arrayBuffer());
    this.files.set(path, bytes);
    this.modes.set(path, mode);
  }
  async listDir(path: string): Promise<string[]> {
    const inside = [...this.files.keys()].filter((name) => name.startsWith(`${path}/`));
    return [...new Set(inside.map((name) => name.slice(path.length + 1).split("/")[0] as string))].sort();
  }
  async stat(path: string): Promise<FileInfo | null> {
    const bytes = this.files.get(path);
    if (bytes !== undefined) return { isDirectory: false, size: bytes.length };
    return (await this.listDir(path)).length > 0 ? { isDirectory: true, size: 0 } : null;
  }
  spawn(args: readonly string[], options: SpawnOptions): ChildHandle {
    let end: (exit: ChildExit) => void = () => {};
    const exit = new Promise<ChildExit>((resolve) => {
      end = resolve;
    });
    const child: Spawned = { args, options, killed: [], end };
    this.children.push(child);
    this.onSpawn(child);
    return { exit, kill: (signal) => void child.killed.push(signal) };
  }
  random(length: number): Uint8Array {
    return new Uint8Array(length).fill(7);
  }
  now(): number {
    return this.#now;
  }
  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleep = {
        until: this.#now + ms,
        wake: (): void => {
          this.sleeps.delete(sleep);
          resolve();
        },
      };
      if (signal?.aborted) return resolve();
      signal?.addEventListener("abort", sleep.wake);
      this.sleeps.add(sleep);
    });
  }
  /** Moves the clock and wakes whoever has slept long enough. */
  advance(ms: number): void {
    this.#now += ms;
    for (const sleep of this.sleeps) if (sleep.until <= this.#now) sleep.wake();
  }
  onSignal(listener: (signal: CliSignal) => void): () => void {
    this.#signalListeners.add(listener);
    return () => this.#signalListeners.delete(listener);
  }
  signal(signal: CliSignal): void {
    for (const listener of this.#signalListeners) listener(signal);
  }
  async runAgent(args: readonly string[]): Promise<number> {
    this.agentRuns.push(args);
    return 0;
  }
}

/** Waits until something that others do is true. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 10_000) throw new Error("what was waited for did not happen");
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

export interface Ran {
  code: number;
  out: string;
  err: string;
  io: FakeIo;
  lines: string[];
}

/** Runs a command line, split at spaces, against a fake agent. */
export async function run(
  line: string | readonly string[],
  answer: Responder | Record<string, Answer | unknown[] | string> = {},
  prepare: (io: FakeIo) => void = () => {},
): Promise<Ran> {
  const words = typeof line === "string" ? line.split(" ").filter((word) => word !== "") : line;
  const io = new FakeIo(words, answer);
  prepare(io);
  const code = await runCli(io);
  return { code, out: io.out, err: io.err, io, lines: io.agent.lines };
}
