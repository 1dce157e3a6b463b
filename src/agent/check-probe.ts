// One run of one check: an HTTP request, a TCP connection, a program. Whatever happens it ends, within the check's timeout,
// with a state and a sentence; it never throws.
// https://developer.hashicorp.com/consul/docs/register/health-check/vm
import type { CheckOutcome } from "../check/alias.ts";
import {
  httpFailure,
  httpOutcome,
  scriptOutcome,
  scriptTimeout,
  splitAddress,
  tcpFailure,
  tcpSuccess,
} from "../check/outcome.ts";
import type { CheckSpec } from "../check/spec.ts";
import type { Timers } from "../host/timers.ts";
import type { HttpProbeAnswer, Platform } from "../platform.ts";
import { concat, text } from "../util/bytes.ts";
import { formatDuration, nsPerMs } from "../util/duration.ts";

export interface ProbeOutcome extends CheckOutcome {
  /** The check did not run as it should have: thresholds do not count. */
  bypass: boolean;
}

export interface ProbeMeans {
  platform: Pick<Platform, "fetch" | "http" | "tcp" | "exec">;
  timers: Timers;
}

type HttpSpec = CheckSpec & { kind: "http" };

/** Runs a check once. An abort of `signal` ends it early; what it says then does not matter. */
export async function probe(spec: CheckSpec, means: ProbeMeans, signal: AbortSignal): Promise<ProbeOutcome> {
  switch (spec.kind) {
    case "http":
      return { ...(await probeHttp(spec, means, signal)), bypass: false };
    case "tcp":
      return { ...(await probeTcp(spec, means)), bypass: false };
    case "script":
      return probeScript(spec, means, signal);
    default:
      return {
        status: "critical",
        output: `${spec.kind} checks cannot be run: this build does not support them`,
        bypass: true,
      };
  }
}

async function probeHttp(spec: HttpSpec, means: ProbeMeans, signal: AbortSignal): Promise<CheckOutcome> {
  const method = spec.method === "" ? "GET" : spec.method;
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  signal.addEventListener("abort", stop, { once: true });
  let timedOut = false;
  const timer = means.timers.after(spec.timeoutMs, () => {
    timedOut = true;
    stop();
  });
  try {
    const answer = await send(spec, method, means, controller.signal);
    const body = await readHead(answer.body, spec.outputBytesMax, controller.signal);
    return httpOutcome(method, spec.url, answer.status, answer.reason, text(body));
  } catch (error) {
    const late = `no answer within ${formatDuration(spec.timeoutMs * nsPerMs)}`;
    return httpFailure(method, spec.url, timedOut ? late : reasonOf(error));
  } finally {
    means.timers.cancel(timer);
    signal.removeEventListener("abort", stop);
  }
}

/** Sends the request of an HTTP check; rejects when the signal aborts it, even if the platform does not listen. */
function send(
  spec: HttpSpec,
  method: string,
  { platform }: ProbeMeans,
  signal: AbortSignal,
): Promise<HttpProbeAnswer> {
  const headers = probeHeaders(spec);
  if (platform.http !== undefined) {
    const { url, body, disableRedirects, tlsServerName, tlsSkipVerify } = spec;
    const followRedirects = !disableRedirects;
    return unlessAborted(
      platform.http.request({ url, method, headers, body, followRedirects, tlsServerName, tlsSkipVerify, signal }),
      signal,
    );
  }
  const lacking = beyondFetch(spec, method);
  if (lacking !== null) return Promise.reject(new Error(`this runtime's fetch cannot ${lacking}`));
  const request = new Request(spec.url, {
    method,
    headers,
    ...(spec.body === "" ? null : { body: spec.body }),
    redirect: spec.disableRedirects ? "manual" : "follow",
    signal,
  });
  return unlessAborted(platform.fetch(request), signal).then((response) => {
    // Browsers hide a redirect that they were told not to follow.
    if (response.type === "opaqueredirect") throw new Error("redirected, and redirects are disabled");
    return { status: response.status, reason: response.statusText, body: response.body };
  });
}

/** What a check asks for that `fetch` would drop or refuse: said rather than dropped. Null when there is nothing. */
function beyondFetch(spec: HttpSpec, method: string): string | null {
  if (Object.keys(spec.headers).some((name) => name.toLowerCase() === "host")) return "set the Host header";
  if (spec.body !== "" && /^(get|head)$/i.test(method)) return `send a body with ${method}`;
  if (!/^https:/i.test(spec.url)) return null;
  if (spec.tlsSkipVerify) return "skip the verification of certificates (tls_skip_verify)";
  return spec.tlsServerName === "" ? null : "set the name for TLS (tls_server_name)";
}

/** The check's own headers, and Consul's where it has none. */
function probeHeaders(spec: HttpSpec): [string, string][] {
  const headers: [string, string][] = [];
  const names = new Set<string>();
  for (const [name, values] of Object.entries(spec.headers)) {
    names.add(name.toLowerCase());
    for (const value of values) headers.push([name, value]);
  }
  if (!names.has("user-agent")) headers.push(["User-Agent", "Consul Health Check"]);
  if (!names.has("accept")) headers.push(["Accept", "text/plain, text/*, */*"]);
  // A connection kept from the last run may be dead by now, which says nothing about the service.
  if (!names.has("connection")) headers.push(["Connection", "close"]);
  return headers;
}

/** The first bytes of a body, at most `maxBytes`; the rest is not read. A body that breaks off counts as far as it went. */
async function readHead(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (body === null) return new Uint8Array(0);
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    while (length < maxBytes) {
      const { done, value } = await unlessAborted(reader.read(), signal);
      if (done) break;
      chunks.push(value);
      length += value.length;
    }
  } catch {
    // The head came: its status stands.
  }
  // Nobody waits for a connection to be given up.
  void reader.cancel().catch(() => {});
  return concat(chunks).subarray(0, maxBytes);
}

async function probeTcp(spec: CheckSpec & { kind: "tcp" }, { platform, timers }: ProbeMeans): Promise<CheckOutcome> {
  if (platform.tcp === undefined) return tcpFailure("TCP checks cannot be run: this runtime has no sockets");
  if (spec.useTls)
    return tcpFailure("TCP checks with TLS (tcp_use_tls) cannot be run: this build does not support them");
  const address = splitAddress(spec.address);
  if (typeof address === "string") return tcpFailure(`dial tcp: address ${spec.address}: ${address}`);
  let timer = null;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = timers.after(spec.timeoutMs, () => reject(new Error(`dial tcp ${spec.address}: i/o timeout`)));
    });
    await Promise.race([platform.tcp.connect(address.host, address.port, spec.timeoutMs), late]);
    return tcpSuccess(spec.address);
  } catch (error) {
    return tcpFailure(reasonOf(error));
  } finally {
    timers.cancel(timer);
  }
}

async function probeScript(
  spec: CheckSpec & { kind: "script" },
  { platform }: ProbeMeans,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  if (platform.exec === undefined) {
    const output = "script checks cannot be run: this runtime does not run programs";
    return { status: "critical", output, bypass: true };
  }
  try {
    const { timeoutMs, outputBytesMax: outputBytes } = spec;
    const ended = await platform.exec.run(spec.args, { timeoutMs, outputBytes, signal });
    if (ended.timedOut) return { ...scriptTimeout(timeoutMs, ended.output, ended.outputTotal), bypass: true };
    return { ...scriptOutcome(ended.exitCode, ended.output, ended.outputTotal), bypass: false };
  } catch (error) {
    return { status: "critical", output: reasonOf(error), bypass: true };
  }
}

/** The promise's outcome, or a rejection as soon as the signal aborts; what it gives later is let go of. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(new Error("aborted"));
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
    promise
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", aborted))
      .catch(() => {});
  });
}

/** What the network said: the innermost message, since `fetch failed` says nothing. */
export function reasonOf(error: unknown): string {
  let inner = error;
  // A chain of causes is short; one that loops must not hang us.
  for (let depth = 0; depth < 8; depth += 1) {
    const next: unknown =
      inner instanceof AggregateError && inner.errors.length > 0
        ? inner.errors[0]
        : inner instanceof Error && inner.cause !== undefined
          ? inner.cause
          : undefined;
    if (!(next instanceof Error)) break;
    inner = next;
  }
  if (!(inner instanceof Error)) return String(inner);
  const { code } = inner as { code?: unknown };
  return inner.message !== "" ? inner.message : typeof code === "string" ? code : inner.name;
}
