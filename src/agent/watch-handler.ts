// What is called when a watch has something new: a program, which gets it on its standard input, or a URL, to which it is
// sent. https://developer.hashicorp.com/consul/docs/automate/watch#handlers
import { capturedOutput } from "../check/output.ts";
import type { WatchHandler } from "../config/watch-definition.ts";
import type { Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import { OperationalError } from "../types/error.ts";
import { text, utf8 } from "../util/bytes.ts";
import { exchange } from "./http-exchange.ts";

/** How much of a handler's output is kept: its last bytes. */
const OUTPUT_BYTES = 4096;
/** A program may run as long as it likes: the longest time that a runtime's timer takes, 24 days. */
const FOREVER_MS = 2 ** 31 - 1;

/** What handlers are called with. */
export interface HandlerMeans {
  platform: Pick<Platform, "fetch" | "http" | "exec">;
  timers: Timers;
}

/**
 * Calls a handler and gives its output.
 * @param body the JSON of the value, and the index it has.
 * @throws Error that says why it failed; OperationalError when this runtime cannot call it.
 */
export function callHandler(
  handler: WatchHandler,
  body: string,
  index: string,
  means: HandlerMeans,
  signal: AbortSignal,
): Promise<string> {
  switch (handler.type) {
    case "script":
      return runProgram(handler.args, body, index, means);
    case "shell":
      return runProgram(["/bin/sh", "-c", handler.command], body, index, means);
    case "http":
      return sendTo(handler, body, index, means, signal);
  }
}

async function runProgram(
  args: readonly string[],
  body: string,
  index: string,
  { platform }: HandlerMeans,
): Promise<string> {
  if (platform.exec === undefined)
    throw new OperationalError("unsupported", "this runtime does not run programs: use a handler of type http");
  const { exitCode, output, outputTotal } = await platform.exec.run(args, {
    timeoutMs: FOREVER_MS,
    outputBytes: OUTPUT_BYTES,
    stdin: utf8(`${body}\n`),
    env: { CONSUL_INDEX: index },
  });
  const said = capturedOutput(output, outputTotal);
  if (exitCode !== 0) throw new Error(exitCode === null ? `killed: ${said}` : `exit status ${exitCode}: ${said}`);
  return said;
}

async function sendTo(
  { path: url, method, timeoutMs, header, tlsSkipVerify }: WatchHandler & { type: "http" },
  body: string,
  index: string,
  means: HandlerMeans,
  signal: AbortSignal,
): Promise<string> {
  const headers: [string, string][] = [];
  for (const [name, values] of Object.entries(header)) for (const value of values) headers.push([name, value]);
  if (!headers.some(([name]) => name.toLowerCase() === "content-type"))
    headers.push(["Content-Type", "application/json"]);
  headers.push(["X-Consul-Index", index]);
  const asked = { url, method, headers, body: `${body}\n`, followRedirects: true, tlsServerName: "", tlsSkipVerify };
  const answer = await exchange(asked, { timeoutMs, bodyBytesMax: OUTPUT_BYTES }, means, signal);
  const said = text(answer.body);
  if (answer.status < 200 || answer.status > 299) throw new Error(`status ${answer.status}: ${said}`);
  return said;
}
