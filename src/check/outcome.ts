// What the answer of a checked thing means: an HTTP response, a TCP connection, a program's end, in state and words.
// https://developer.hashicorp.com/consul/docs/register/health-check/vm
import type { CheckStatus } from "../types/records.ts";
import { formatDuration, nsPerMs } from "../util/duration.ts";
import type { CheckOutcome } from "./alias.ts";
import { capturedOutput } from "./output.ts";

/** 2xx is passing, 429 (Too Many Requests, RFC 6585) is warning, all else is critical. */
function httpStatus(statusCode: number): CheckStatus {
  if (statusCode >= 200 && statusCode <= 299) return "passing";
  return statusCode === 429 ? "warning" : "critical";
}

/** Reason phrases of RFC 9110 that a health endpoint may use, for answers that came without one (HTTP/2 has none). */
const reasons = new Map<number, string>([
  [200, "OK"],
  [201, "Created"],
  [202, "Accepted"],
  [204, "No Content"],
  [206, "Partial Content"],
  [207, "Multi-Status"],
  [301, "Moved Permanently"],
  [302, "Found"],
  [303, "See Other"],
  [304, "Not Modified"],
  [307, "Temporary Redirect"],
  [308, "Permanent Redirect"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [408, "Request Timeout"],
  [409, "Conflict"],
  [410, "Gone"],
  [429, "Too Many Requests"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [502, "Bad Gateway"],
  [503, "Service Unavailable"],
  [504, "Gateway Timeout"],
]);

/** `body` is what was kept of it. */
export function httpOutcome(
  method: string,
  url: string,
  statusCode: number,
  reason: string,
  body: string,
): CheckOutcome {
  const said = reason === "" ? (reasons.get(statusCode) ?? "") : reason;
  const status = `${statusCode} ${said}`;
  return { status: httpStatus(statusCode), output: `HTTP ${method} ${url}: ${status} Output: ${body}` };
}

/** A request that got no answer; `why` is what the network said. */
export function httpFailure(method: string, url: string, why: string): CheckOutcome {
  const verb = method.slice(0, 1).toUpperCase() + method.slice(1).toLowerCase();
  return { status: "critical", output: `${verb} ${JSON.stringify(url)}: ${why}` };
}

export function tcpSuccess(address: string): CheckOutcome {
  return { status: "passing", output: `TCP connect ${address}: Success` };
}

/** A connection that did not come about; `why` is what the network said. */
export function tcpFailure(why: string): CheckOutcome {
  return { status: "critical", output: why };
}

/** Exit code 0 is passing, 1 is warning, any other (null: it was killed) is critical. `tail` is the end of its output. */
export function scriptOutcome(exitCode: number | null, tail: Uint8Array, total: number): CheckOutcome {
  const status = exitCode === 0 ? "passing" : exitCode === 1 ? "warning" : "critical";
  return { status, output: capturedOutput(tail, total) };
}

/** A program that was killed because it took longer than `timeoutMs`. */
export function scriptTimeout(timeoutMs: number, tail: Uint8Array, total: number): CheckOutcome {
  const output = capturedOutput(tail, total);
  const sentence = `Timed out (${formatDuration(timeoutMs * nsPerMs)}) running check`;
  return { status: "critical", output: output === "" ? sentence : `${sentence}\n\n${output}` };
}

/** Host and port of "host:port"; an IPv6 host stands in brackets. A string says what is wrong with the address. */
export function splitAddress(address: string): { host: string; port: number } | string {
  const colon = address.lastIndexOf(":");
  const bracket = address.lastIndexOf("]");
  if (colon < 0 || colon < bracket) return "missing port in address";
  let host = address.slice(0, colon);
  if (host.startsWith("[")) {
    if (bracket !== colon - 1) return "missing ']' in address";
    host = host.slice(1, -1);
  } else if (host.includes(":")) return "too many colons in address";
  const digits = address.slice(colon + 1);
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535) return `invalid port ${JSON.stringify(digits)}`;
  // Go dials the local host when none is given.
  return { host: host === "" ? "localhost" : host, port };
}
