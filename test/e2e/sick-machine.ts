// Loaded into a server's process before anything else (`--import`): makes its machine sick as long as a file says so. Its disk
// is slow or full, or its wall clock is off; the monotonic clock is not, as on real machines.
import fs from "node:fs";

/** What the file named by `SICKNESS_FILE` holds, as JSON; no file is a healthy machine. */
export interface Sickness {
  /** How much longer each sync of a file takes. */
  syncDelayMs?: number;
  /** Writes find no space. */
  isFull?: boolean;
  wallOffsetMs?: number;
}

/** The variable that names the file. */
export const SICKNESS_FILE = "SICKNESS_FILE";
/** How soon a change of it counts. */
export const LOOK_MS = 50;

const path = process.env[SICKNESS_FILE];
if (path !== undefined) infect(path);

function infect(file: string): void {
  let sickness: Sickness = {};
  setInterval(() => {
    try {
      sickness = JSON.parse(fs.readFileSync(file, "utf8")) as Sickness;
    } catch {
      sickness = {};
    }
  }, LOOK_MS).unref();

  const { fdatasync, fsync, write, writeSync } = fs;
  const later = (sync: typeof fs.fsync): typeof fs.fsync =>
    Object.assign(
      (fd: number, done: fs.NoParamCallback) => {
        setTimeout(() => sync(fd, done), sickness.syncDelayMs ?? 0);
      },
      { __promisify__: sync.__promisify__ },
    );
  const noSpace = (): NodeJS.ErrnoException =>
    Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
  fs.fdatasync = later(fdatasync);
  fs.fsync = later(fsync);
  fs.writeSync = ((...args: Parameters<typeof writeSync>) => {
    // Standard output and error are no disk.
    if (sickness.isFull === true && args[0] > 2) throw noSpace();
    return writeSync(...args);
  }) as typeof writeSync;
  fs.write = ((...args: Parameters<typeof write>) => {
    if (sickness.isFull !== true || args[0] <= 2) return write(...args);
    const done = args.at(-1) as (error: Error) => void;
    queueMicrotask(() => done(noSpace()));
  }) as unknown as typeof write;

  const wall = Date.now.bind(Date);
  Date.now = () => wall() + (sickness.wallOffsetMs ?? 0);
}
