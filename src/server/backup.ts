// A backup for an operator: the archive of util/snapshot-archive.ts with the state in it. An archive says how long its
// files are before they come, so the state is first written to a blob, from a view that writes do not move; then the
// archive is read from there, as fast as the client takes it.
import { sha256 } from "@noble/hashes/sha2.js";
import type { Blobs } from "../platform.ts";
import type { SnapshotPoint } from "../raft/types.ts";
import { OperationalError } from "../types/error.ts";
import { snapshotArchiveEnds } from "../util/snapshot-archive.ts";

const PREFIX = "backups/";

export interface Backup {
  readonly point: SnapshotPoint;
  /** The bytes of the archive, uncompressed; to be read once. */
  archive(): AsyncGenerator<Uint8Array>;
  /** Forgets what was staged; to be called however the reading ends. */
  discard(): Promise<void>;
}

export interface BackupOptions {
  blobs: Blobs;
  /** Names the staged blob: no other backup has it. */
  id: string;
  wallMs: number;
  point: SnapshotPoint;
  /** The bytes of the state, from `Server.backup`. */
  chunks: AsyncIterable<Uint8Array>;
}

/** Stages a backup. @throws OperationalError `disk-full` and whatever else the blobs throw. */
export async function stageBackup({ blobs, id, wallMs, point, chunks }: BackupOptions): Promise<Backup> {
  const name = `${PREFIX}${id}`;
  const file = await blobs.create(name);
  const hash = sha256.create();
  let Size = 0;
  try {
    for await (const chunk of chunks) {
      hash.update(chunk);
      Size += chunk.length;
      await file.write(chunk);
    }
    await file.commit();
  } catch (error) {
    await file.abort();
    throw error;
  }
  const meta = { Version: 1, ID: `${point.term}-${point.index}-${wallMs}`, Index: point.index, Term: point.term, Size };
  const { head, tail } = snapshotArchiveEnds(meta, hash.digest(), Math.floor(wallMs / 1000));
  return {
    point,
    async *archive() {
      yield* head;
      const state = await blobs.open(name);
      if (state === null) throw new OperationalError("storage-failed", `the staged backup ${name} is gone`);
      yield* state;
      yield* tail;
    },
    discard: () => blobs.delete(name),
  };
}

/** Deletes what backups left that a crash or a power cut ended. */
export async function discardStaleBackups(blobs: Blobs): Promise<void> {
  for (const name of await blobs.list(PREFIX)) await blobs.delete(name);
}
