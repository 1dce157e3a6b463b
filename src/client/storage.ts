// The second level behind a replica's memory: what was last known, kept where a new process, page or isolate finds it. Bytes
// under names that every store takes as they are; a store that fails costs nothing but the second level.
import { parseJson, stringifyJson } from "./json.ts";

/** Made by `fromUnstorage`, `fromIdb`, or by hand. Names have letters, digits and hyphens only. */
export interface ClientStorage {
  /** Null or undefined when there is none. */
  get(name: string): Promise<Uint8Array | null | undefined>;
  set(name: string, value: Uint8Array): Promise<void>;
}

/** An answer as it is kept. */
export interface KeptAnswer {
  /** Epoch milliseconds of when a server last confirmed it. */
  at: number;
  index: number | bigint;
  /** The answer's JSON. */
  wire: unknown;
}

/** The name for an answer: who may see it (`secret`) is part of it, unreadably. */
export function storageName(question: string, secret: string): string {
  return `proconsul-${hash(`${question}\n${secret}`)}`;
}

/** Gives the answer, or null: none is kept, or what is kept is another's or no longer readable. */
export async function readKept(storage: ClientStorage, name: string, question: string): Promise<KeptAnswer | null> {
  const bytes = await storage.get(name);
  if (!bytes) return null;
  const kept = parseJson(new TextDecoder().decode(bytes)) as KeptAnswer & { of: string };
  return kept.of === question ? kept : null;
}

/** @throws what the store throws */
export function writeKept(storage: ClientStorage, name: string, question: string, answer: KeptAnswer): Promise<void> {
  return storage.set(name, new TextEncoder().encode(stringifyJson({ of: question, ...answer })));
}

/** 64 bits of FNV-1a in two runs of 32, for names: no cryptography, and too short to find a token by. */
function hash(text: string): string {
  let high = 0x811c9dc5;
  let low = 0x1000193;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    high = Math.imul(high ^ code, 0x1000193);
    low = Math.imul(low ^ code, 0x85ebca6b) + at;
  }
  return [high, low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}
