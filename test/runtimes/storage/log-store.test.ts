// The store in files passes the suite on the real file system: as it is by default, and with segments so small that
// everything crosses them.
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogStoreOptions, openLogStore } from "../../../runtimes/node/log-store.ts";
import { type LogPlace, logStoreSuite } from "./log-store-suite.ts";

function place(options: LogStoreOptions): () => Promise<LogPlace> {
  return async () => {
    const dir = fs.mkdtempSync(join(tmpdir(), "proconsul-log-"));
    return {
      open: () => openLogStore(join(dir, "raft"), options),
      remove: () => fs.promises.rm(dir, { recursive: true, force: true }),
    };
  };
}

const small = { segmentBytes: 4096, allocateBytes: 2048, reserveBytes: 512 };
logStoreSuite("files", place({}));
logStoreSuite("files, small segments", place(small));
