// Tar archives (POSIX.1-2001 "pax interchange format", ustar headers): enough to write a snapshot archive and to read what
// Go, GNU or BSD tar wrote. Pure and piecewise, so that an archive of any size passes through in chunks.
import { OperationalError } from "../types/error.ts";

/** All of an archive is made of blocks of this many bytes. */
const BLOCK = 512;
/** Headers that speak for the next entry (long names) are held in memory; more than this is no name. */
const META_MAX = 64 * 1024;
/** Octal fields of eleven digits end here; pax or base-256 carry more. */
const OCTAL_MAX = 8 ** 11 - 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One file of an archive. */
export interface TarFile {
  /** Up to 100 bytes of UTF-8. */
  name: string;
  bytes: Uint8Array;
}

export interface TarHeaderOptions {
  /** Permission bits; 0o600 when not given. */
  mode?: number;
  /** Seconds since the epoch; 0 when not given. */
  mtime?: number;
}

/**
 * The 512-byte header that stands before a regular file of `size` bytes. After it come the bytes and `tarPadding(size)`.
 * @throws OperationalError `invalid-request` when name or size do not fit a ustar header.
 */
export function tarHeader(name: string, size: number, options: TarHeaderOptions = {}): Uint8Array {
  const encodedName = encoder.encode(name);
  if (encodedName.length === 0 || encodedName.length > 100) throw broken(`name "${name}" does not fit a header`);
  if (!Number.isSafeInteger(size) || size < 0 || size > OCTAL_MAX) throw broken(`size ${size} does not fit a header`);
  const header = new Uint8Array(BLOCK);
  header.set(encodedName, 0);
  putOctal(header, 100, 8, options.mode ?? 0o600);
  putOctal(header, 108, 8, 0);
  putOctal(header, 116, 8, 0);
  putOctal(header, 124, 12, size);
  putOctal(header, 136, 12, options.mtime ?? 0);
  header[156] = 0x30;
  header.set(encoder.encode("ustar\u000000"), 257);
  header.fill(0x20, 148, 156);
  putOctal(header, 148, 7, checksum(header));
  return header;
}

/** The zeros that fill a file of `size` bytes up to a whole block. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The two empty blocks that end an archive. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * BLOCK);
}

/** A whole archive as the list of its pieces; the files' bytes are not copied. */
export function packTar(files: readonly TarFile[], options: TarHeaderOptions = {}): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (const { name, bytes } of files)
    pieces.push(tarHeader(name, bytes.length, options), bytes, tarPadding(bytes.length));
  pieces.push(tarEnd());
  return pieces;
}

/** What `TarReader` finds, in order: for each entry one `entry`, its bytes as any number of `data`, one `entry-end`. */
export type TarEvent = { type: "entry"; entry: TarEntry } | { type: "data"; bytes: Uint8Array } | { type: "entry-end" };

export interface TarEntry {
  name: string;
  size: number;
  kind: "file" | "directory" | "other";
  mode: number;
  /** Seconds since the epoch. */
  mtime: number;
}

type MetaKind = "pax" | "gnu-name" | "skip";

/** Takes an archive apart as its bytes arrive. `data` events hold views of the chunks given, not copies. */
export class TarReader {
  #block: Uint8Array = new Uint8Array(BLOCK);
  #filled = 0;
  /** Bytes of the current entry still to come, and then of its padding. */
  #remaining = 0;
  #padding = 0;
  #inEntry = false;
  #meta: { kind: MetaKind; bytes: Uint8Array; filled: number } | null = null;
  #next: { name?: string; size?: number } = {};
  #zeroBlocks = 0;
  #ended = false;

  /**
   * Takes the next bytes and gives what they complete.
   * @throws OperationalError `invalid-request` when this is no tar archive.
   */
  push(chunk: Uint8Array): TarEvent[] {
    const events: TarEvent[] = [];
    let at = 0;
    while (at < chunk.length && !this.#ended) {
      if (this.#remaining > 0) {
        const taken = Math.min(this.#remaining, chunk.length - at);
        this.#content(chunk.subarray(at, at + taken), events);
        at += taken;
      } else if (this.#padding > 0) {
        const taken = Math.min(this.#padding, chunk.length - at);
        this.#padding -= taken;
        at += taken;
      } else {
        const taken = Math.min(BLOCK - this.#filled, chunk.length - at);
        this.#block.set(chunk.subarray(at, at + taken), this.#filled);
        this.#filled += taken;
        at += taken;
        if (this.#filled === BLOCK) {
          this.#filled = 0;
          this.#header(this.#block, events);
        }
      }
    }
    return events;
  }

  /**
   * To be called when there are no more bytes. A missing end mark is accepted, as by other readers.
   * @throws OperationalError `invalid-request` when the archive stops inside an entry or a header.
   */
  end(): void {
    if (!this.#ended && (this.#remaining > 0 || this.#filled > 0)) throw broken("unexpected end");
  }

  #content(bytes: Uint8Array, events: TarEvent[]): void {
    this.#remaining -= bytes.length;
    const meta = this.#meta;
    if (meta === null) {
      if (this.#inEntry) events.push({ type: "data", bytes });
    } else if (meta.kind !== "skip") {
      meta.bytes.set(bytes, meta.filled);
      meta.filled += bytes.length;
    }
    if (this.#remaining === 0) this.#finish(events);
  }

  #finish(events: TarEvent[]): void {
    const meta = this.#meta;
    if (meta === null) {
      this.#inEntry = false;
      events.push({ type: "entry-end" });
      return;
    }
    this.#meta = null;
    if (meta.kind === "gnu-name") this.#next.name = cString(meta.bytes, 0, meta.bytes.length);
    if (meta.kind === "pax") readPax(meta.bytes, this.#next);
  }

  #header(block: Uint8Array, events: TarEvent[]): void {
    if (block.every((byte) => byte === 0)) {
      this.#zeroBlocks += 1;
      this.#ended = this.#zeroBlocks === 2;
      return;
    }
    this.#zeroBlocks = 0;
    const stored = octal(block, 148, 8);
    const copy = block.slice();
    copy.fill(0x20, 148, 156);
    if (checksum(copy) !== stored) throw broken("bad header checksum");
    const flag = String.fromCharCode(block[156] ?? 0);
    const size = number(block, 124, 12);
    if (flag === "x" || flag === "g" || flag === "L" || flag === "K") {
      const kind: MetaKind = flag === "x" ? "pax" : flag === "L" ? "gnu-name" : "skip";
      if (size > META_MAX) throw broken("extended header is too large");
      this.#meta = { kind, bytes: new Uint8Array(kind === "skip" ? 0 : size), filled: 0 };
      this.#begin(size, events);
      return;
    }
    const prefix = cString(block, 257, 5) === "ustar" && block[262] === 0 ? cString(block, 345, 155) : "";
    const name = cString(block, 0, 100);
    const entry: TarEntry = {
      name: this.#next.name ?? (prefix === "" ? name : `${prefix}/${name}`),
      size: this.#next.size ?? size,
      kind: flag === "0" || flag === "\0" || flag === "7" ? "file" : flag === "5" ? "directory" : "other",
      mode: octal(block, 100, 8),
      mtime: number(block, 136, 12),
    };
    // Links, devices and directories have no content, whatever their size field says.
    if (flag >= "1" && flag <= "6") entry.size = 0;
    this.#next = {};
    this.#inEntry = true;
    events.push({ type: "entry", entry });
    this.#begin(entry.size, events);
  }

  #begin(size: number, events: TarEvent[]): void {
    this.#remaining = size;
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (size === 0) this.#finish(events);
  }
}

/**
 * The regular files of a whole archive, by name; of two with one name the later.
 * @throws OperationalError `invalid-request` when this is no tar archive.
 */
export function unpackTar(archive: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const reader = new TarReader();
  const events = reader.push(archive);
  reader.end();
  let current: TarEntry | null = null;
  for (const event of events) {
    if (event.type === "entry") {
      current = event.entry;
      if (current.kind === "file") files.set(current.name, new Uint8Array(0));
      // One chunk in, so each entry's bytes come as one view.
    } else if (event.type === "data" && current?.kind === "file") files.set(current.name, event.bytes);
  }
  return files;
}

function broken(why: string): OperationalError {
  return new OperationalError("invalid-request", `invalid tar archive: ${why}`);
}

function checksum(header: Uint8Array): number {
  let sum = 0;
  for (const byte of header) sum += byte;
  return sum;
}

/** Digits with leading zeros, `length - 1` of them, then a NUL. */
function putOctal(into: Uint8Array, at: number, length: number, value: number): void {
  const digits = Math.floor(value)
    .toString(8)
    .padStart(length - 1, "0");
  for (let i = 0; i < length - 1; i++) into[at + i] = digits.charCodeAt(i);
  into[at + length - 1] = 0;
}

/** Octal digits between optional spaces and NULs. */
function octal(block: Uint8Array, at: number, length: number): number {
  const text = cString(block, at, length).trim();
  if (!/^[0-7]*$/.test(text)) throw broken("bad number in a header");
  return text === "" ? 0 : Number.parseInt(text, 8);
}

/** An octal field, or GNU's base-256 form: top bit set, big endian. */
function number(block: Uint8Array, at: number, length: number): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) === 0) return octal(block, at, length);
  let value = first & 0x7f;
  for (let i = 1; i < length; i++) value = value * 256 + (block[at + i] ?? 0);
  if (!Number.isSafeInteger(value)) throw broken("number in a header is too large");
  return value;
}

function cString(bytes: Uint8Array, at: number, length: number): string {
  let end = at;
  while (end < at + length && bytes[end] !== 0) end++;
  return decoder.decode(bytes.subarray(at, end));
}

/** Records "<length> <key>=<value>\n"; only what changes how an entry is read is kept. */
function readPax(bytes: Uint8Array, into: { name?: string; size?: number }): void {
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(decoder.decode(bytes.subarray(at, space)));
    const end = at + length;
    if (!Number.isInteger(length) || end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a)
      throw broken("bad extended header");
    const record = decoder.decode(bytes.subarray(space + 1, end - 1));
    const equals = record.indexOf("=");
    if (equals < 1) throw broken("bad extended header");
    const value = record.slice(equals + 1);
    if (record.startsWith("path=")) into.name = value;
    if (record.startsWith("size=")) {
      into.size = Number(value);
      if (!Number.isSafeInteger(into.size) || into.size < 0) throw broken("bad size in an extended header");
    }
    at = end;
  }
}
