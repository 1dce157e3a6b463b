// The one path of a request. What a client sent reaches us as it is on Node, and rewritten by the URL parser of the web
// elsewhere (https://url.spec.whatwg.org/#path-state): so Node's is rewritten in the same way, and routing, permissions
// and keys see one path on every runtime. What Go's mux would redirect is redirected, and what it refuses is refused.
import { OperationalError } from "../types/error.ts";
import type { HttpRequest } from "./request.ts";

/** Targets that need no second look: segments that do not begin with a dot, and nothing that is encoded or special. */
const PLAIN = /^(?=\/)(?:\/[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*)*\/?(?:\?|$)/;
const DOTS = /^(?:\.|%2e)$/i;
const DOUBLE_DOTS = /^(?:\.|%2e){2}$/i;
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;
/** What Go's unicode.IsPrint denies; a blank is printable, other white space is not. */
const UNPRINTABLE = /[\p{C}\p{Z}]/u;

/**
 * The target with its path in the one form, the query as it was: the same text when it is in that form already.
 * @param anyCharacter true lets characters through that cannot be printed, but for control characters.
 * @throws OperationalError `invalid-request` for a target that names no path, or that has characters no path may have.
 */
export function canonicalTarget(target: string, anyCharacter: boolean): string {
  if (PLAIN.test(target)) return target;
  const origin = originForm(target);
  const question = origin.indexOf("?");
  const path = question < 0 ? origin : origin.slice(0, question);
  if (CONTROL.test(path) || path.includes(" ") || path.includes("#"))
    throw invalid("it has a character that must be percent-encoded");
  const resolved = resolveDots(encodeHigh(path.replaceAll("\\", "/")));
  checkCharacters(resolved, anyCharacter);
  return question < 0 ? resolved : resolved + origin.slice(question);
}

const invalid = (why: string): OperationalError => new OperationalError("invalid-request", `Invalid URL path: ${why}`);

/** Proxies send `http://host/path`. */
function originForm(target: string): string {
  if (target.startsWith("/") || target.startsWith("\\")) return target;
  const absolute = /^https?:\/\/[^/\\?#]*(.*)$/is.exec(target);
  if (absolute === null) throw invalid("it does not begin with a slash");
  const rest = absolute[1] as string;
  return rest.startsWith("/") || rest.startsWith("\\") ? rest : `/${rest}`;
}

/** Bytes above ASCII come one to a character from Node; whole characters, from somewhere else, are encoded too. */
const encodeHigh = (path: string): string =>
  // oxlint-disable-next-line no-control-regex -- all but ASCII
  path.replace(/[^\u0000-\u007f]/gu, (char) => {
    const code = char.codePointAt(0) as number;
    if (code < 0x100) return `%${code.toString(16).toUpperCase()}`;
    return encodeURIComponent(code >= 0xd800 && code <= 0xdfff ? "\ufffd" : char);
  });

function resolveDots(path: string): string {
  const segments = path.split("/");
  const kept: string[] = [];
  const last = segments.length - 1;
  for (let at = 1; at <= last; at++) {
    const segment = segments[at] as string;
    if (DOUBLE_DOTS.test(segment)) kept.pop();
    if (!DOTS.test(segment) && !DOUBLE_DOTS.test(segment)) kept.push(segment);
    else if (at === last) kept.push("");
  }
  return `/${kept.join("/")}`;
}

function checkCharacters(path: string, anyCharacter: boolean): void {
  if (!path.includes("%")) return;
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw invalid(`it has a percent-encoding that is not UTF-8: ${path}`);
  }
  if (CONTROL.test(decoded) || (!anyCharacter && UNPRINTABLE.test(decoded.replaceAll(" ", ""))))
    throw invalid("it has a character that cannot be printed");
}

/** Where a path with `//` in it is to be looked for instead; null when it has none. */
export function collapsedTarget(target: string): string | null {
  const question = target.indexOf("?");
  const path = question < 0 ? target : target.slice(0, question);
  if (!path.includes("//")) return null;
  return path.replace(/\/{2,}/g, "/") + (question < 0 ? "" : target.slice(question));
}

/** The target as a log may have it: without the secrets that a query can carry. */
export const redacted = (target: string): string => target.replace(/([?&](?:token|secret)=)[^&]*/gi, "$1<hidden>");

/** A request under its canonical target. */
export class Retargeted implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly #request: HttpRequest;

  constructor(request: HttpRequest, target: string) {
    this.#request = request;
    this.method = request.method;
    this.target = target;
  }

  get remoteAddress(): string {
    return this.#request.remoteAddress;
  }

  header(name: string): string | null {
    return this.#request.header(name);
  }

  body(limitBytes: number): Promise<Uint8Array> {
    return this.#request.body(limitBytes);
  }

  onGone(gone: () => void): () => void {
    return this.#request.onGone(gone);
  }
}
