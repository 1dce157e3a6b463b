// One agent at a time in a data directory. Lock files are numbered, `agent.lock.1` and so on; the one with the highest
// number is the lock, and it is taken by making the next number, which only one of several contenders can do. The highest
// file is never deleted, only those below it by its owner, so a contender that looked earlier sees afterwards that it is late.
// The file says who holds it; the holder is dead when its process is, or another has its number by now (`/proc`).
import fs from "node:fs";
import { hostname } from "node:os";
import { OperationalError } from "../../src/types/error.ts";
import { errorCode, nodeFileSystem, storageError } from "./file-system.ts";

/** A data directory that is ours. */
export interface DataDirLock {
  /** Lets go of it; a second time it does nothing. */
  release(): Promise<void>;
}

/** What is in a lock file. */
interface Holder {
  pid: number;
  /** Start of the process in ticks since boot; null where there is no `/proc`. */
  start: string | null;
  /** Which boot of the machine, and which numbering of processes (containers have their own): `pid` means nothing elsewhere. */
  boot: string | null;
  namespace: string | null;
  host: string;
  /** Of this one taking of the lock. */
  token: string;
  released: boolean;
}

const PREFIX = "agent.lock.";
const LOOK_AGAIN_MS = 250;

export interface DataDirOptions {
  /** The holder touches its file this often, for those that cannot see its process. */
  touchMs?: number;
  /** And is taken for dead by them when it has not for so long: how long a start may have to wait. */
  silentMs?: number;
}

/**
 * Makes `dir` when it is missing and takes it for this agent, so that no other writes to the same files.
 * @throws OperationalError `conflict` when another live agent has it; `storage-failed` when it is not a directory or
 * cannot be written to.
 */
export async function acquireDataDir(dir: string, options: DataDirOptions = {}): Promise<DataDirLock> {
  const { touchMs = 2_000, silentMs = 10_000 } = options;
  await makeDirectory(dir);
  const me = describeSelf();
  const started = performance.now();
  let lastTouch: number | null = null;
  for (;;) {
    const highest = await highestLock(dir);
    if (highest > 0) {
      const path = lockPath(dir, highest);
      const found = await look(path, me);
      if (found === null) continue;
      const isTouched = lastTouch !== null && found.touched > lastTouch;
      if (found.holder === "alive" || (found.holder === "unseen" && isTouched)) {
        throw new OperationalError("conflict", `The data directory ${dir} is in use by ${found.name}, as ${path} says`);
      }
      const isSilent = Date.now() - found.touched >= silentMs || performance.now() - started >= silentMs;
      if (found.holder === "unseen" && !isSilent) {
        lastTouch ??= found.touched;
        await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
        continue;
      }
    }
    const mine = lockPath(dir, highest + 1);
    if (!(await create(dir, mine, me))) continue;
    // Whoever got further while we were deciding has the directory.
    if ((await highestLock(dir)) > highest + 1) {
      await fs.promises.unlink(mine).catch(() => {});
      continue;
    }
    await removeOld(dir, highest + 1, silentMs);
    return hold(dir, mine, me, touchMs);
  }
}

async function makeDirectory(dir: string): Promise<void> {
  try {
    await nodeFileSystem.makeDirectory(dir);
  } catch (error) {
    if (errorCode(error) !== "ENOTDIR") throw storageError(`Cannot make the data directory ${dir}`, error);
    throw new OperationalError("storage-failed", `The data directory ${dir} is not a directory`, { cause: error });
  }
}

function lockPath(dir: string, number: number): string {
  return `${dir}/${PREFIX}${number}`;
}

/** The numbers of the lock files. */
async function lockNumbers(dir: string): Promise<number[]> {
  const names = await fs.promises.readdir(dir).catch((error: unknown) => {
    throw storageError(`Cannot read the data directory ${dir}`, error);
  });
  return names.map(lockNumber).filter((number) => number !== null);
}

/** The number of a lock file; null for other files, drafts among them. */
function lockNumber(name: string): number | null {
  const digits = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : "";
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : null;
}

/** The highest number of a lock file; 0 when there is none. */
async function highestLock(dir: string): Promise<number> {
  return (await lockNumbers(dir)).reduce((a, b) => Math.max(a, b), 0);
}

/** Removes the lock files before ours, and drafts that a crash left. */
async function removeOld(dir: string, mine: number, draftMs: number): Promise<void> {
  for (const name of await fs.promises.readdir(dir)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = `${dir}/${name}`;
    const number = lockNumber(name);
    const isOld = number === null ? await isOlderThan(path, draftMs) : number < mine;
    if (isOld) await fs.promises.unlink(path).catch(() => {});
  }
}

async function isOlderThan(path: string, ms: number): Promise<boolean> {
  const stats = await fs.promises.stat(path).catch(() => null);
  return stats !== null && Date.now() - stats.mtimeMs > ms;
}

/** Makes the lock file with its content in one step; false when another was faster. */
async function create(dir: string, path: string, me: Holder): Promise<boolean> {
  const draft = `${dir}/${PREFIX}${me.token}`;
  try {
    await fs.promises.writeFile(draft, `${JSON.stringify(me)}\n`);
    try {
      await fs.promises.link(draft, path);
    } catch (error) {
      if (errorCode(error) === "EEXIST") return false;
      // A file system without hard links: the file is empty for a moment, which others wait out.
      await fs.promises.writeFile(path, `${JSON.stringify(me)}\n`, { flag: "wx" });
    }
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw storageError(`Cannot write to the data directory ${dir}`, error);
  } finally {
    await fs.promises.unlink(draft).catch(() => {});
  }
}

/**
 * Looks at a lock file; null when it is not there any more. The holder is `unseen` when its process is in another
 * container, or when the file says nothing: then only touches of the file tell.
 */
async function look(
  path: string,
  me: Holder,
): Promise<{ holder: "dead" | "alive" | "unseen"; name: string; touched: number } | null> {
  let holder: Holder | null;
  let touched: number;
  try {
    holder = parseHolder(await fs.promises.readFile(path, "utf8"));
    touched = (await fs.promises.stat(path)).mtimeMs;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw storageError(`Cannot read ${path}`, error);
  }
  if (holder === null) return { holder: "unseen", name: "an agent that is starting", touched };
  const name = `process ${holder.pid} on ${holder.host}`;
  if (holder.released || (holder.boot !== me.boot && holder.host === me.host)) return { holder: "dead", name, touched };
  if (holder.boot !== me.boot || holder.namespace !== me.namespace) return { holder: "unseen", name, touched };
  return { holder: isRunning(holder) ? "alive" : "dead", name, touched };
}

function parseHolder(text: string): Holder | null {
  try {
    const value: unknown = JSON.parse(text);
    const isHolder = typeof value === "object" && value !== null && "pid" in value && typeof value.pid === "number";
    return isHolder ? (value as Holder) : null;
  } catch {
    return null;
  }
}

function isRunning(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it is there, and another user's.
    if (errorCode(error) === "ESRCH") return false;
  }
  // Numbers of processes are used again; starts are not.
  const stat = processStat(holder.pid);
  if (holder.start === null || stat === null) return true;
  return stat.start === holder.start && stat.state !== "Z" && stat.state !== "X";
}

function describeSelf(): Holder {
  return {
    pid: process.pid,
    start: processStat(process.pid)?.start ?? null,
    boot: readText("/proc/sys/kernel/random/boot_id"),
    namespace: readLink("/proc/self/ns/pid"),
    host: hostname(),
    token: crypto.randomUUID(),
    released: false,
  };
}

/** Fields 3 and 22 of `/proc/<pid>/stat` (proc(5)), counted from the last parenthesis, since the name before it may hold anything. */
function processStat(pid: number): { state: string; start: string } | null {
  const stat = readText(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields?.[0];
  const start = fields?.[19];
  return state === undefined || start === undefined ? null : { state, start };
}

function readText(path: string): string | null {
  try {
    return fs.readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}

function readLink(path: string): string | null {
  try {
    return fs.readlinkSync(path);
  } catch {
    return null;
  }
}

function hold(dir: string, path: string, me: Holder, touchMs: number): DataDirLock {
  const touch = setInterval(() => {
    const now = new Date();
    fs.utimes(path, now, now, () => {});
  }, touchMs);
  touch.unref();
  let isReleased = false;
  return {
    async release() {
      if (isReleased) return;
      isReleased = true;
      clearInterval(touch);
      const draft = `${dir}/${PREFIX}${me.token}`;
      try {
        await fs.promises.writeFile(draft, `${JSON.stringify({ ...me, released: true })}\n`);
        await fs.promises.rename(draft, path);
      } catch (error) {
        throw storageError(`Cannot release the data directory ${dir}`, error);
      }
    },
  };
}
