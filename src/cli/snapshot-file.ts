// Snapshot files as `snapshot save` writes them: gzip around the archive of util/snapshot-archive.ts, in it the store's
// records as server/snapshots.ts frames them.
import { FrameReader } from "../codec/frame.ts";
import { decode, encode } from "../codec/value.ts";
import type { SnapshotRecord } from "../state/snapshot.ts";
import { equal } from "../util/bytes.ts";
import type { SnapshotMeta } from "../util/snapshot-archive.ts";
import { SnapshotArchiveReader } from "../util/snapshot-archive.ts";
import { CliError } from "./command.ts";

/** What `state.bin` begins with when this program wrote it; Consul's own begins otherwise. */
const STATE_MAGIC = new TextEncoder().encode("PCSNAP");

/** Passes the bytes of a snapshot on unchanged; the stream fails at its end when they are no whole snapshot. */
export function verifying(verified: (meta: SnapshotMeta) => void): TransformStream<Uint8Array, Uint8Array> {
  // The types of compression streams and those of byte streams differ in what they say of shared memory.
  const gunzip = new DecompressionStream("gzip") as unknown as TransformStream<Uint8Array, Uint8Array>;
  const input = gunzip.writable.getWriter();
  const meta = readArchive(gunzip.readable, () => {});
  // Looked at when the stream ends; a failure before that is no unhandled one.
  meta.catch(() => {});
  return new TransformStream({
    async transform(chunk, controller) {
      await input.write(chunk).catch(() => {});
      controller.enqueue(chunk);
    },
    async flush() {
      await input.close().catch(() => {});
      verified(await meta);
    },
  });
}

/** What a snapshot holds. */
export interface SnapshotContent {
  meta: SnapshotMeta;
  stateBytes: number;
  /** False: another program wrote the records, and they were not read. */
  readable: boolean;
}

/**
 * Reads a whole snapshot file. `record` gets each record and the bytes it takes.
 * @throws CliError when it is none, or is damaged.
 */
export async function readSnapshot(
  file: Uint8Array,
  record: (record: SnapshotRecord, bytes: number) => void,
): Promise<SnapshotContent> {
  const frames = new FrameReader();
  let first = true;
  let start = new Uint8Array(0);
  let readable = true;
  let stateBytes = 0;
  const take = (piece: Uint8Array): void => {
    stateBytes += piece.length;
    if (start.length < STATE_MAGIC.length) {
      const joined = new Uint8Array(start.length + piece.length);
      joined.set(start);
      joined.set(piece, start.length);
      start = joined;
      if (start.length < STATE_MAGIC.length) return;
      readable = equal(start.subarray(0, STATE_MAGIC.length), STATE_MAGIC);
      piece = start;
    }
    if (!readable) return;
    for (const payload of frames.push(piece)) {
      for (const item of decode(payload) as unknown[]) {
        // The very first says where in the log the snapshot stands.
        if (!first) record(item as SnapshotRecord, encode(item).length);
        first = false;
      }
    }
  };
  const input = new Blob([file as BlobPart])
    .stream()
    .pipeThrough(
      new DecompressionStream("gzip") as unknown as ReadableWritablePair<Uint8Array, Uint8Array<ArrayBuffer>>,
    );
  const meta = await readArchive(input, take);
  if (readable) frames.finish();
  return { meta, stateBytes, readable };
}

/** @throws OperationalError when the archive is not whole; CliError when it is not gzip. */
async function readArchive(
  input: ReadableStream<Uint8Array>,
  state: (piece: Uint8Array) => void,
): Promise<SnapshotMeta> {
  const archive = new SnapshotArchiveReader();
  const reader = input.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw new CliError("not a snapshot: it is not compressed by gzip, or it is cut or damaged", { cause: error });
    });
    if (done) return archive.finish();
    for (const piece of archive.push(value)) state(piece);
  }
}
