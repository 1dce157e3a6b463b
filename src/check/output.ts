// The output of checks: what is kept of it, and the sentences around it that Consul's users and their tools know. Lengths
// are of UTF-8 bytes; a character that is cut in two shows as U+FFFD.
import { text, utf8 } from "../util/bytes.ts";

/** What an application pushed to its TTL check: the head is kept. */
export function pushedOutput(output: string, maxBytes: number): string {
  // No character has fewer bytes than code units, so a short text need not be encoded to be measured.
  if (output.length * 3 <= maxBytes) return output;
  const bytes = utf8(output);
  if (bytes.length <= maxBytes) return output;
  return `${text(bytes.subarray(0, maxBytes))} ... (captured ${maxBytes} of ${bytes.length} bytes)`;
}

/** What a TTL check shows once it has expired; `lastOutput` is what was pushed last. */
export function expiredOutput(lastOutput: string): string {
  return lastOutput === "" ? "TTL expired" : `TTL expired (last output before timeout follows): ${lastOutput}`;
}

/** What a program wrote: `tail` is the end of it (the platform keeps no more), `total` counts all bytes. */
export function capturedOutput(tail: Uint8Array, total: number): string {
  const kept = text(tail);
  return total > tail.length ? `Captured ${tail.length} of ${total} bytes\n...\n${kept}` : kept;
}
