// A segment: one file of the log. It begins with a header record, holds zeros where nothing was written yet, and ends
// with a seal when the next one has taken over. Names are `0000000001.log` and so on, without gaps.
import { OperationalError } from "../../src/types/error.ts";
import { errorText, type FileSystem, writeAll } from "./file-system.ts";
import { LogDamaged } from "./log-damaged.ts";
import {
  decodeHeader,
  decodeOperations,
  encodeHeader,
  FORMAT_VERSION,
  type FoundRecord,
  judgeTail,
  type Operation,
  recordAt,
  type RecordKey,
  recordKey,
  segmentIdentity,
  type SegmentHeader,
  type Tail,
} from "./log-record.ts";

/** Zeros that always follow what was written, torn or not: room for a seal, and fewer tell that the file was cut. */
export const SPARE_BYTES = 64;
/** How temporary files end; those left by a crash are removed at the next start. */
export const TEMPORARY = ".tmp";

const NAME = /^(\d{10})\.log$/;

/** The file name of a segment. */
export function segmentName(sequence: number): string {
  return `${String(sequence).padStart(10, "0")}.log`;
}

/** The sequence number in a file name; null for other files. */
export function segmentSequence(name: string): number | null {
  const match = NAME.exec(name);
  return match === null ? null : Number(match[1]);
}

/** A segment that was read. */
export interface ReadSegment {
  path: string;
  bytes: Uint8Array<ArrayBuffer>;
  key: RecordKey;
  header: SegmentHeader;
  /** Where the header record ends, the last record begins and where it ends. */
  bodyStart: number;
  lastRecord: number;
  end: number;
  /** Checksum of the last record. */
  chain: number;
  sealed: boolean;
  tail: Tail;
}

/**
 * Reads the records of a segment up to the first bad one, giving the header, with the checksum of the seal before it, to
 * `begin` and the operations of each to `apply`. Both say what is wrong, or null.
 * @throws LogDamaged for what no crash explains wherever it is; OperationalError `unsupported` for a newer format.
 */
export function readSegment(
  path: string,
  sequence: number,
  bytes: Uint8Array<ArrayBuffer>,
  begin: (header: SegmentHeader, previous: number) => string | null,
  apply: (operation: Operation) => string | null,
): ReadSegment {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const identity = segmentIdentity(bytes);
  const key = identity === null ? null : recordKey(identity.salt, identity.sequence);
  const first = key === null ? null : recordAt(bytes, view, 0, key);
  if (identity === null || key === null || first === null) throw new LogDamaged(path, 0, "the file's header is wrong");
  if (identity.version !== FORMAT_VERSION) throw newerFormat(path, `format ${identity.version}`);
  if (identity.sequence !== sequence) {
    throw new LogDamaged(path, 0, `the file holds what belongs in ${segmentName(identity.sequence)}`);
  }
  const header = decodeHeader(bytes, view, first);
  complain(path, 0, begin(header, first.previous));

  let record: FoundRecord = first;
  let lastRecord = 0;
  let sealed = false;
  while (!sealed) {
    const offset = record.end;
    const next = recordAt(bytes, view, offset, key);
    if (next === null) break;
    if (next.previous !== record.crc) {
      throw new LogDamaged(path, offset, "the record does not continue the one before it");
    }
    const operations = decodeOperations(bytes, view, next);
    if (operations === null) throw newerFormat(path, `an unknown record at offset ${offset}`);
    for (const operation of operations) {
      if (operation.type === "seal") sealed = true;
      else complain(path, offset, apply(operation));
    }
    record = next;
    lastRecord = offset;
  }
  const tail: Tail = sealed ? { kind: "clean" } : judgeTail(bytes, view, record.end, key);
  return {
    path,
    bytes,
    key,
    header,
    bodyStart: first.end,
    lastRecord,
    end: record.end,
    chain: record.crc,
    sealed,
    tail,
  };
}

function complain(path: string, offset: number, wrong: string | null): void {
  if (wrong !== null) throw new LogDamaged(path, offset, wrong);
}

function newerFormat(path: string, what: string): OperationalError {
  return new OperationalError(
    "unsupported",
    `${path} has ${what}: it was written by a newer version, which has to be used to read it`,
  );
}

/** A segment that is ready to be written to. */
export interface NewSegment {
  path: string;
  key: RecordKey;
  /** Where the first record goes, the checksum it continues, and where the zeros end. */
  end: number;
  chain: number;
  allocated: number;
}

/**
 * Makes a segment of zeros after its header. Its name appears only when all of it is durable, and is durable on return;
 * after a failure there is at most a temporary file.
 */
export async function createSegment(
  fs: FileSystem,
  dir: string,
  header: SegmentHeader,
  previous: number,
  allocate: number,
): Promise<NewSegment> {
  const path = `${dir}/${segmentName(header.sequence)}`;
  const temporary = path + TEMPORARY;
  const { bytes, crc } = encodeHeader(header, previous);
  const allocated = Math.ceil((bytes.length + SPARE_BYTES) / allocate) * allocate;
  try {
    const file = await fs.open(temporary, "create");
    try {
      await writeZeros((zeros, position) => writeAll(file, zeros, position), 0, allocated);
      await writeAll(file, bytes, 0);
      await file.datasync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path);
  } catch (error) {
    await fs.unlink(temporary).catch(() => {});
    throw error;
  }
  // From here on the segment may be there after a crash, so even a full disk is no reason to carry on without it.
  await fs.syncDirectory(dir).catch((error: unknown) => {
    throw new Error(`cannot sync ${dir}: ${errorText(error)}`, { cause: error });
  });
  return { path, key: recordKey(header.salt, header.sequence), end: bytes.length, chain: crc, allocated };
}

const ZEROS = new Uint8Array(256 * 1024);

/** Calls `write` with pieces of zeros that fill a file between two offsets. */
export async function writeZeros(
  write: (zeros: Uint8Array, position: number) => Promise<void>,
  start: number,
  end: number,
): Promise<void> {
  for (let at = start; at < end;) {
    const length = Math.min(ZEROS.length, end - at);
    await write(ZEROS.subarray(0, length), at);
    at += length;
  }
}
