// Everything the command line asks of the place it runs in. A runtime's `main` builds one `CliIo` and calls `runCli(io)`;
// tests give a scripted one. `src/cli` reaches the outside through nothing else.

import type { ClientStorage } from "../client/storage.ts";
import type { InterfaceAddress } from "../config/network-interface.ts";

/** The part of `fetch` that is used: an absolute address and the usual options. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** Signals a user or a supervisor sends. */
export type CliSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

export interface CliIo {
  /** The words after the program's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: VersionInfo;

  /** Writes in order and never throws. The caller of `runCli` drains both streams before the process ends. */
  stdout(chunk: string | Uint8Array): void;
  stderr(text: string): void;
  /** All of standard input, read to its end. */
  stdin(): Promise<Uint8Array>;

  /** @throws Error with a readable message such as `open x: no such file or directory`. */
  readFile(path: string): Promise<Uint8Array>;
  /**
   * Writes a whole file, replacing it only when all of it is there: first under another name, synced, then renamed.
   * `mode` is the Unix permission bits, 0o666 less the umask when not given. A stream that fails leaves no file.
   */
  writeFile(path: string, content: Uint8Array | ReadableStream<Uint8Array>, mode?: number): Promise<void>;
  /**
   * A place outside the file system that a URL names, such as `s3://bucket/path`, for whole values under names. Missing:
   * unsupported. @throws Error that says what is not set or not installed.
   */
  storage?(url: string): Promise<ClientStorage>;
  /** Names in a directory, sorted, without "." and "..". */
  listDir(path: string): Promise<string[]>;
  /** Null when nothing is there. */
  stat(path: string): Promise<FileInfo | null>;

  /** Starts `args[0]` with the rest as arguments, no shell. Output is inherited: the child writes where this program does. */
  spawn(args: readonly string[], options: SpawnOptions): ChildHandle;

  /**
   * HTTP over TCP with the runtime's own trust in certificates. Best without time limits of its own: a blocking query or
   * the log may be silent for minutes.
   */
  readonly fetch: Fetch;
  /** A `fetch` for what the plain one cannot do: a Unix socket, an own CA, a client certificate. Missing: unsupported. */
  transport?(options: TransportOptions): Promise<Fetch>;

  /** Cryptographically random bytes. */
  random(length: number): Uint8Array;
  /** Monotonic milliseconds. */
  now(): number;
  /** Milliseconds since the epoch. */
  wall(): number;
  /** Resolves after `ms`, or at once when `signal` is aborted; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** While a listener is there the signal does not end the process. Gives back a function that takes it off. */
  onSignal(listener: (signal: CliSignal) => void): () => void;

  /** The machine's name and the addresses of its interfaces; missing where the runtime cannot know them. */
  machine?(): MachineInfo;

  /** `agent`: runs an agent with these arguments until it ends; gives the exit code. */
  runAgent(args: readonly string[]): Promise<number>;
}

export interface MachineInfo {
  hostname: string;
  interfaces: readonly InterfaceAddress[] | null;
}

export interface VersionInfo {
  /** Without a leading "v". */
  version: string;
  /** Commit, or "" when not known. */
  revision: string;
  /** RFC 3339, or "". */
  buildDate: string;
}

export interface FileInfo {
  isDirectory: boolean;
  size: number;
}

export interface SpawnOptions {
  /** The child's whole environment. */
  env: Record<string, string>;
  /** Bytes are written and the stream closed; "inherit" hands on this program's input; "none" gives an empty one. */
  stdin: "inherit" | "none" | Uint8Array;
}

export interface ChildHandle {
  /** Resolves when the child has ended and its output is written; rejects when it could not be started. */
  readonly exit: Promise<ChildExit>;
  /** No effect once the child has ended. */
  kill(signal: CliSignal | "SIGKILL"): void;
}

/** `code` is null when a signal ended the child. */
export interface ChildExit {
  code: number | null;
  signal: string | null;
}

export interface TransportOptions {
  /** Path of a Unix socket to connect to whatever the URL's host says. */
  unixSocket?: string;
  /** PEM text. */
  ca?: string;
  cert?: string;
  key?: string;
  serverName?: string;
  /** True: accept any certificate. */
  insecure?: boolean;
}
