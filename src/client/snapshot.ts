// Snapshots of all replicated state, as streams: https://developer.hashicorp.com/consul/api-docs/snapshot
import type { Read, ReadOptions, RequestOptions, Transport } from "./transport.ts";
import { readMeta } from "./transport.ts";

export interface SnapshotArea {
  /** The archive (gzip of tar) as it is sent; its SHA256SUMS are the reader's to check. */
  save(options?: ReadOptions): Promise<Read<ReadableStream<Uint8Array>>>;
  /** Replaces everything the cluster holds. */
  restore(archive: Uint8Array | ReadableStream<Uint8Array>, options?: RequestOptions): Promise<void>;
}

export function snapshotArea(transport: Transport): SnapshotArea {
  return {
    async save(options) {
      const response = await transport.send({ method: "GET", path: "snapshot", options });
      return { value: response.body ?? new ReadableStream(), ...readMeta(response.headers) };
    },
    async restore(archive, options) {
      const response = await transport.send({ method: "PUT", path: "snapshot", options, body: archive });
      await response.arrayBuffer();
    },
  };
}
