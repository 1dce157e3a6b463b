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
  /** What a file has already is written in place, as most file systems do. Standard output and error are no disk. */
  const takesSpace = (fd: number, args: readonly unknown[]): boolean => {
    const [, , length, position] = args as [unknown, unknown, number, number];
    return fd > 2 && !(typeof position === "number" && position + length <= fs.fstatSync(fd).size);
  };
  fs.writeSync = ((fd: number, ...args: unknown[]): number => {
    if (sickness.isFull === true && takesSpace(fd, args)) throw noSpace();
    return Reflect.apply(writeSync, fs, [fd, ...args]) as number;
  }) as typeof fs.writeSync;
  fs.write = ((fd: number, ...args: unknown[]): void => {
    if (sickness.isFull !== true || !takesSpace(fd, args)) return void Reflect.apply(write, fs, [fd, ...args]);
    const done = args.at(-1) as (error: Error) => void;
    queueMicrotask(() => done(noSpace()));
  }) as unknown as typeof fs.write;

  const wall = Date.now.bind(Date);
  Date.now = () => wall() + (sickness.wallOffsetMs ?? 0);
}
