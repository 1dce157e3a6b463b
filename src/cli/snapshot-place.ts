// Snapshots in places that URLs name: an object store, Redis, a web server. The last part of the path is the name.
import type { ClientStorage } from "../client/storage.ts";
import { equal } from "../util/bytes.ts";
import type { CliIo } from "./io.ts";

/** A URL and no path. A file may be named "a:b", so the slashes count. */
export function isPlace(path: string): boolean {
  return /^[a-z][a-z\d+.-]+:\/\//.test(path);
}

/** The path that a `file:` URL means: files are written by the command itself, synced and switched at once. */
export function localPath(path: string): string {
  return path.startsWith("file://") ? decodeURIComponent(new URL(path).pathname) : path;
}

/** @throws Error when there is none, or when the place cannot be used */
export async function readPlace(io: CliIo, url: string): Promise<Uint8Array> {
  const { storage, name } = await open(io, url);
  const bytes = await storage.get(name);
  if (!bytes) throw new Error(`${url}: no such snapshot`);
  return bytes;
}

/** Writes when all is there, and reads back: stores of this kind promise little. @throws Error */
export async function writePlace(io: CliIo, url: string, content: ReadableStream<Uint8Array>): Promise<void> {
  const { storage, name } = await open(io, url);
  const bytes = new Uint8Array(await new Response(content as BodyInit).arrayBuffer());
  await storage.set(name, bytes);
  const stored = await storage.get(name);
  if (!stored || !equal(stored, bytes)) throw new Error(`${url}: what is stored is not what was written`);
}

async function open(io: CliIo, url: string): Promise<{ storage: ClientStorage; name: string }> {
  if (io.storage === undefined) throw new Error(`${url}: this runtime has no storage by URL`);
  const [, place = "", name = "", query = ""] = /^([^?]*)\/([^/?]*)(\?.*)?$/s.exec(url) ?? [];
  if (name === "" || /^[a-z\d+.-]+:\/?$/.test(place)) throw new Error(`${url}: it names no snapshot`);
  return { storage: await io.storage(place + query), name };
}
