// The error that stops a server whose log was changed by something other than the server.
import { OperationalError } from "../../src/types/error.ts";

const REMEDY =
  "Nothing was changed on disk. What this server had said was durable may be gone, so it must not go on with the rest: " +
  "where there are other servers, remove this one from the cluster, move its data directory away and let it join anew; " +
  "where it is the only one, restore a snapshot into an empty data directory.";

/** Thrown by `load` for anything that a crash or a power cut does not explain. */
export class LogDamaged extends OperationalError {
  override readonly name: string = "LogDamaged";
  readonly file: string;
  /** The byte in the file from which on it is not what was written. */
  readonly offset: number;

  constructor(file: string, offset: number, what: string) {
    super("storage-failed", `The Raft log is damaged: ${file}, offset ${offset}: ${what}. ${REMEDY}`);
    this.file = file;
    this.offset = offset;
  }
}
