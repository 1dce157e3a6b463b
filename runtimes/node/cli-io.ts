// What the command line asks of the place it runs in, by `node:*`, which Node, Deno and Bun all have.
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { openStorage } from "../storage/unstorage.ts";
import { interfaceAddresses } from "./config-files.ts";
import type {
  ChildExit,
  ChildHandle,
  CliIo,
  CliSignal,
  Fetch,
  FileInfo,
  SpawnOptions,
  TransportOptions,
  VersionInfo,
} from "../../src/cli/io.ts";

const SIGNALS: readonly CliSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** @param args the words after the program's name. */
export function nodeCliIo(
  args: readonly string[],
  version: VersionInfo,
  runAgent: (args: readonly string[]) => Promise<number>,
): CliIo {
  endWithReader();
  return {
    args,
    env: process.env,
    version,
    stdout: (chunk) => void process.stdout.write(chunk),
    stderr: (text) => void process.stderr.write(text),
    stdin: readStdin,
    readFile: (path) => readable(path, () => readFile(path)),
    writeFile: writeWhole,
    storage: (url) => openStorage(url, process.env),
    listDir: (path) => readable(path, async () => (await readdir(path)).sort()),
    stat: fileInfo,
    spawn: spawnChild,
    // The runtimes' own `fetch` refuses some ports and gives up on an answer that is silent for five minutes.
    fetch: ownTransport({}),
    transport: async (options) => ownTransport(options),
    machine: () => ({ hostname: hostname(), interfaces: interfaceAddresses() }),
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    now: () => performance.now(),
    wall: () => Date.now(),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        if (signal?.aborted) done();
        else signal?.addEventListener("abort", done, { once: true });
      }),
    onSignal(listener) {
      const offs = SIGNALS.map((signal) => {
        const heard = (): void => listener(signal);
        process.on(signal, heard);
        return () => process.off(signal, heard);
      });
      return () => {
        for (const off of offs) off();
      };
    },
    runAgent,
  };
}

/** Who pipes into `head` wants no more: the end of the reader ends the program, without a word. */
function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      throw error;
    });
}

/** Waits until what was written to both streams has left the process. */
export async function drain(): Promise<void> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => {
      stream.write("", () => resolve());
    });
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return new Uint8Array(Buffer.concat(chunks));
}

/** Says a system error as a person would read it. */
async function readable<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT"
        ? "no such file or directory"
        : code === "EACCES"
          ? "permission denied"
          : code === "EISDIR"
            ? "is a directory"
            : message;
    throw new Error(`open ${path}: ${why}`, { cause: error });
  }
}

async function writeWhole(path: string, content: Uint8Array | ReadableStream<Uint8Array>, mode = 0o666): Promise<void> {
  const temporary = join(dirname(path), `.${process.pid}-${Date.now()}.tmp`);
  try {
    await readable(path, async () => {
      if (content instanceof Uint8Array) await writeFile(temporary, content, { mode });
      else await pipeline(Readable.fromWeb(content as never), createWriteStream(temporary, { mode }));
      const file = await open(temporary, "r+");
      await file.sync();
      await file.close();
      await rename(temporary, path);
    });
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function fileInfo(path: string): Promise<FileInfo | null> {
  try {
    const found = await stat(path);
    return { isDirectory: found.isDirectory(), size: found.size };
  } catch {
    return null;
  }
}

function spawnChild(args: readonly string[], options: SpawnOptions): ChildHandle {
  const [command, ...rest] = args;
  const { stdin } = options;
  const child = spawn(command as string, rest, {
    env: options.env,
    stdio: [stdin === "inherit" ? "inherit" : stdin === "none" ? "ignore" : "pipe", "inherit", "inherit"],
  });
  if (stdin instanceof Uint8Array) {
    child.stdin?.on("error", () => {});
    child.stdin?.end(stdin);
  }
  const exit = new Promise<ChildExit>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        new Error(
          `exec: ${JSON.stringify(command)}: ${error.code === "ENOENT" ? "executable file not found in $PATH" : error.message}`,
        ),
      ),
    );
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  return {
    exit,
    kill: (signal) => void child.kill(signal),
  };
}

/** `fetch` over a Unix socket or with an own trust in certificates, by `node:http` and `node:https`. */
function ownTransport(options: TransportOptions): Fetch {
  return (address, init = {}) =>
    new Promise((resolve, reject) => {
      const url = new URL(address);
      const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(
        url,
        {
          method: init.method ?? "GET",
          headers: Object.fromEntries(new Headers(init.headers).entries()),
          ...(options.unixSocket === undefined ? {} : { socketPath: options.unixSocket }),
          ...(options.ca === undefined ? {} : { ca: options.ca }),
          ...(options.cert === undefined ? {} : { cert: options.cert }),
          ...(options.key === undefined ? {} : { key: options.key }),
          ...(options.serverName === undefined ? {} : { servername: options.serverName }),
          rejectUnauthorized: options.insecure !== true,
          ...(init.signal ? { signal: init.signal } : {}),
        },
        (message) => {
          const headers: [string, string][] = [];
          for (let i = 0; i < message.rawHeaders.length; i += 2)
            headers.push([message.rawHeaders[i] as string, message.rawHeaders[i + 1] as string]);
          const status = message.statusCode as number;
          const empty = status === 204 || status === 304;
          resolve(
            new Response(empty ? null : (Readable.toWeb(message) as unknown as ReadableStream), { status, headers }),
          );
        },
      );
      request.once("error", reject);
      const { body, signal } = init;
      // Deno ends a request on a connection that was used before, but tells nobody.
      signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      if (body instanceof ReadableStream) Readable.fromWeb(body as never).pipe(request);
      else request.end(body ?? undefined);
    });
}
