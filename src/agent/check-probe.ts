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
import type { Platform } from "../platform.ts";
import { text } from "../util/bytes.ts";
import { reasonOf } from "../util/reason-of.ts";
import { exchange } from "./http-exchange.ts";

/** What came of one run. */
export interface ProbeOutcome extends CheckOutcome {
  /** The check did not run as it should have: thresholds do not count. */
  bypass: boolean;
}

/** What a run is done with. */
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
  const { url, body, timeoutMs, outputBytesMax: bodyBytesMax, disableRedirects, tlsServerName, tlsSkipVerify } = spec;
  const method = spec.method === "" ? "GET" : spec.method;
  const asked = {
    url,
    method,
    headers: probeHeaders(spec),
    body,
    followRedirects: !disableRedirects,
    tlsServerName,
    tlsSkipVerify,
  };
  try {
    const answer = await exchange(asked, { timeoutMs, bodyBytesMax }, means, signal);
    return httpOutcome(method, url, answer.status, answer.reason, text(answer.body));
  } catch (error) {
    return httpFailure(method, url, reasonOf(error));
  }
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
