// /v1/snapshot: https://developer.hashicorp.com/consul/api-docs/snapshot. Streams of gzip around the archive of
// util/snapshot-archive.ts.
import { OperationalError } from "../types/error.ts";
import { concat } from "../util/bytes.ts";
import { SnapshotArchiveReader } from "../util/snapshot-archive.ts";
import type { Context } from "./context.ts";
import { emptyReply, type Reply, reply } from "./reply.ts";
import type { RouteRow } from "./route-table.ts";

export const snapshotRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/snapshot",
    params: ["stale"],
    permission: "acl:write",
    summary: "Reads the whole state as a compressed archive",
    handle: save,
  },
  {
    method: "PUT",
    path: "/v1/snapshot",
    params: [],
    permission: "acl:write",
    summary: "Puts the state of an archive in place of the present one",
    handle: restore,
  },
];

/** What an archive may have at most, as it is sent. */
const ARCHIVE_BYTES_MAX = 1024 * 1024 * 1024;
/** What its state may come to: an archive that grows beyond it was made to fill the memory. */
const STATE_BYTES_MAX = 2 * 1024 * 1024 * 1024;

async function save(c: Context): Promise<Reply> {
  const backup = await c.agent.backups.open(c.query.has("stale"), c.datacenter);
  const headers = [
    "Content-Type",
    "application/x-gzip",
    "X-Consul-Index",
    String(backup.index),
    "X-Consul-Knownleader",
    String(backup.knownLeader),
    "X-Consul-Lastcontact",
    String(Math.round(backup.lastContactMs)),
  ];
  const archive = readable(backup.archive(), () => {
    backup.discard().catch((error: unknown) => c.agent.log.error("failed to delete a staged backup", { error }));
  });
  return reply(200, headers, archive.pipeThrough(gzip()));
}

// The types of compression streams and those of byte streams differ in what they say of shared memory.
type Bytes = Uint8Array<ArrayBuffer>;
const gzip = (): ReadableWritablePair<Bytes, Uint8Array> =>
  new CompressionStream("gzip") as unknown as ReadableWritablePair<Bytes, Uint8Array>;
const gunzip = (): ReadableWritablePair<Bytes, Uint8Array> =>
  new DecompressionStream("gzip") as unknown as ReadableWritablePair<Bytes, Uint8Array>;

/** The chunks as a stream; `done` is called once it has ended, failed, or was given up. */
function readable(chunks: AsyncGenerator<Uint8Array>, done: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await chunks.next();
        if (!next.done) {
          controller.enqueue(next.value);
          return;
        }
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      done();
    },
    async cancel() {
      done();
      await chunks.return(undefined);
    },
  });
}

async function restore(c: Context): Promise<Reply> {
  if (c.query.has("stale")) throw new OperationalError("refused", "stale not allowed for restore");
  const state = await stateOf(await c.body(ARCHIVE_BYTES_MAX));
  try {
    await c.agent.calls.restore(state, c.datacenter);
  } catch (error) {
    if (!(error instanceof OperationalError) || error.code !== "invalid-request") throw error;
    throw new OperationalError("refused", `failed to restore from snapshot: ${error.message}`, { cause: error });
  }
  return emptyReply();
}

/** `state.bin` of a whole and undamaged archive. @throws OperationalError that says what is wrong with it. */
async function stateOf(body: Uint8Array): Promise<Uint8Array> {
  const reader = new SnapshotArchiveReader();
  const pieces: Uint8Array[] = [];
  try {
    const bytes = new Blob([body as Bytes]).stream().pipeThrough(gunzip());
    for await (const chunk of bytes) {
      // What the reader gives lies in the chunk, which nobody else keeps.
      pieces.push(...reader.push(chunk));
      if (reader.stateBytes > STATE_BYTES_MAX)
        throw new OperationalError("payload-too-large", `the state is larger than ${STATE_BYTES_MAX} bytes`);
    }
    reader.finish();
  } catch (error) {
    if (error instanceof OperationalError && error.code === "payload-too-large") throw error;
    const why =
      error instanceof OperationalError ? error.message : "it is not compressed by gzip, or it is cut or damaged";
    throw new OperationalError("refused", `failed to read snapshot file: ${why}`, { cause: error });
  }
  return concat(pieces);
}
