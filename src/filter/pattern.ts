// Regular expressions that users send, in RE2's language, which Go's users know and which takes linear time.
import { RE2JS } from "re2js";

/** Longer ones are taken for none: compiling costs time. */
const CHARS_MAX = 1024;

/** True when some part of the text matches. A pattern that is none matches nothing; the empty one matches all. */
export function matchesPattern(pattern: string, text: string): boolean {
  if (pattern === "") return true;
  if (pattern.length > CHARS_MAX) return false;
  try {
    return RE2JS.compile(pattern).test(text);
  } catch {
    return false;
  }
}
