// The archive that /v1/snapshot sends and takes, and that `snapshot save` writes to a file: inside gzip a tar of
// `meta.json`, `state.bin` and `SHA256SUMS`, which has a line "<sha256>  <name>" for each of the others
// (https://developer.hashicorp.com/consul/api-docs/snapshot). This is the tar; compression is the transport's.
import { sha256 } from "@noble/hashes/sha2.js";
import { OperationalError } from "../types/error.ts";
import { concat, hex, text, utf8 } from "./bytes.ts";
import { TarReader, tarEnd, tarHeader, tarPadding } from "./tar.ts";

/** `meta.json`: what a Raft snapshot is called and where it stands. */
export interface SnapshotMeta {
  Version: number;
  ID: string;
  Index: number;
  Term: number;
  /** Bytes of `state.bin`. */
  Size: number;
  [field: string]: unknown;
}

const META = "meta.json";
const STATE = "state.bin";
const SUMS = "SHA256SUMS";
/** Files beside the state are small; larger ones are no archive of ours. */
const SIDE_FILE_MAX = 1024 * 1024;

/**
 * The archive, uncompressed, as the list of its pieces; those of `state` are not copied. `Size` is filled in.
 * @param mtime of the files, in seconds since the epoch.
 */
export function packSnapshotArchive(
  meta: Omit<SnapshotMeta, "Size">,
  state: readonly Uint8Array[],
  mtime: number,
): Uint8Array[] {
  const Size = state.reduce((sum, piece) => sum + piece.length, 0);
  const stateHash = sha256.create();
  for (const piece of state) stateHash.update(piece);
  const { head, tail } = snapshotArchiveEnds({ ...meta, Size } as SnapshotMeta, stateHash.digest(), mtime);
  return [...head, ...state, ...tail];
}

/**
 * What stands before and after the bytes of `state.bin` in an archive, for a state that is too large to hold: it has
 * `meta.Size` bytes and this SHA-256.
 */
export function snapshotArchiveEnds(
  meta: SnapshotMeta,
  stateHash: Uint8Array,
  mtime: number,
): { head: Uint8Array[]; tail: Uint8Array[] } {
  const metaBytes = utf8(JSON.stringify(meta));
  const sums = utf8(`${hex(sha256(metaBytes))}  ${META}\n${hex(stateHash)}  ${STATE}\n`);
  const file = (name: string, bytes: Uint8Array): Uint8Array[] => [
    tarHeader(name, bytes.length, { mtime }),
    bytes,
    tarPadding(bytes.length),
  ];
  return {
    head: [...file(META, metaBytes), tarHeader(STATE, meta.Size, { mtime })],
    tail: [tarPadding(meta.Size), ...file(SUMS, sums), tarEnd()],
  };
}

/** Reads an archive piece by piece and checks it; holds no more of the state than the piece at hand. */
export class SnapshotArchiveReader {
  readonly #tar = new TarReader();
  readonly #sums = new Map<string, string>();
  readonly #side = new Map<string, Uint8Array>();
  #name = "";
  #hash = sha256.create();
  #pieces: Uint8Array[] = [];
  #stateBytes = 0;

  /** Bytes of `state.bin` so far. */
  get stateBytes(): number {
    return this.#stateBytes;
  }

  /**
   * Takes the next bytes; gives those of `state.bin` among them.
   * @throws OperationalError `invalid-request` when this is no such archive.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const state: Uint8Array[] = [];
    for (const event of this.#tar.push(chunk)) {
      if (event.type === "entry") this.#begin(event.entry.name, event.entry.size);
      else if (event.type === "entry-end") this.#end();
      else {
        this.#hash.update(event.bytes);
        if (this.#name === STATE) {
          this.#stateBytes += event.bytes.length;
          state.push(event.bytes);
        } else this.#pieces.push(event.bytes.slice());
      }
    }
    return state;
  }

  /**
   * To be called when there are no more bytes: checks that all is there and that the sums are right.
   * @throws OperationalError `invalid-request` when not.
   */
  finish(): SnapshotMeta {
    this.#tar.end();
    const metaBytes = this.#side.get(META);
    const listed = this.#side.get(SUMS);
    if (metaBytes === undefined) throw refused(`it has no ${META}`);
    if (!this.#sums.has(STATE)) throw refused(`it has no ${STATE}`);
    if (listed === undefined) throw refused(`it has no ${SUMS}`);
    const expected = parseSums(text(listed));
    for (const [name, sum] of this.#sums) {
      if (name === SUMS) continue;
      if (expected.get(name) !== sum) throw refused(`the checksum of ${name} is not the one in ${SUMS}`);
    }
    for (const name of expected.keys())
      if (!this.#sums.has(name)) throw refused(`${SUMS} lists ${name}, which is missing`);
    return parseMeta(text(metaBytes));
  }

  #begin(name: string, size: number): void {
    if (name !== META && name !== STATE && name !== SUMS) throw refused(`unexpected file ${JSON.stringify(name)}`);
    if (this.#sums.has(name)) throw refused(`${name} is there twice`);
    if (name !== STATE && size > SIDE_FILE_MAX) throw refused(`${name} is too large`);
    this.#name = name;
    this.#hash = sha256.create();
    this.#pieces = [];
  }

  #end(): void {
    this.#sums.set(this.#name, hex(this.#hash.digest()));
    if (this.#name !== STATE) this.#side.set(this.#name, concat(this.#pieces));
  }
}

function parseSums(list: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const line of list.split("\n")) {
    if (line === "") continue;
    const [, sum, name] = /^([0-9a-fA-F]{64}) [ *](.+)$/.exec(line) ?? [];
    if (sum === undefined || name === undefined) throw refused(`bad line in ${SUMS}`);
    sums.set(name, sum.toLowerCase());
  }
  return sums;
}

function parseMeta(json: string): SnapshotMeta {
  let meta: unknown;
  try {
    meta = JSON.parse(json);
  } catch {
    throw refused(`${META} is no JSON`);
  }
  const { Index, Term, ID } = (meta ?? {}) as Partial<SnapshotMeta>;
  if (typeof Index !== "number" || typeof Term !== "number" || typeof ID !== "string")
    throw refused(`${META} lacks index, term or id`);
  return meta as SnapshotMeta;
}

function refused(why: string): OperationalError {
  return new OperationalError("invalid-request", `not a snapshot archive: ${why}`);
}
