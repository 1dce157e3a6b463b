// Takes a data directory and keeps it, for the tests of another process that wants it.
import fs from "node:fs";
import { acquireDataDir } from "../../../runtimes/node/data-dir-lock.ts";
import { OperationalError } from "../../../src/types/error.ts";

try {
  await acquireDataDir(process.argv[2] as string);
  fs.writeSync(1, "taken\n");
  // Until it is killed, or its parent has ended.
  process.stdin.resume();
} catch (error) {
  fs.writeSync(1, error instanceof OperationalError ? `${error.code} ${error.message}\n` : `${String(error)}\n`);
}
