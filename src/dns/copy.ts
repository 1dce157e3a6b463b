// Copies of bytes. `packet.slice()` will not do: on Node and Bun a packet is a Buffer, whose `slice` is a view.

import { allocate } from "../util/slab.ts";

/** The bytes from `start` to `end`, nobody else's. */
export function copyOf(bytes: Uint8Array, start = 0, end: number = bytes.length): Uint8Array<ArrayBuffer> {
  const copy = allocate(end - start);
  copy.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
  return copy;
}
