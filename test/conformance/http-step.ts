// Sends one request of a scenario and gives the answer in the form of the recordings.
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentProcess } from "./agent-process.ts";
import { at, canonical, MESSAGE, remove, sorted } from "./compare.ts";
import { type Normaliser, shapeOf } from "./normalise.ts";
import type { Step } from "./scenario.ts";

/** Words in texts that a library of the reference wrote: another implementation says the same in words of its own. */
const LIBRARY_WORDS = [
  "strconv.",
  "json: ",
  "Request decode failed",
  "Failed to parse body",
  "boolean expression",
  "time: ",
  "error parsing regexp",
  "cannot unmarshal",
  "index error",
];
/** The headers that clients look at. */
const COMPARED_HEADERS = [
  "allow",
  "content-type",
  "location",
  "x-cache",
  "x-consul-default-acl-policy",
  "x-consul-effective-consistency",
  "x-consul-index",
  "x-consul-knownleader",
  "x-consul-lastcontact",
  "x-consul-results-filtered-by-acls",
  "x-consul-translate-addresses",
];
const COUNTERS = new Set(["x-consul-index", "x-consul-lastcontact"]);
const TRIES = 100;
const TRY_PAUSE_MS = 100;
const ANSWER_MS = 60_000;

/** Replaces each `{{name}}` that has a saved value. */
export function fill(text: string, vars: ReadonlyMap<string, unknown>): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (all, name: string) => (vars.has(name) ? String(vars.get(name)) : all));
}

interface Received {
  status: number;
  headers: Headers;
  kind: "empty" | "json" | "text";
  body: unknown;
}

/** @param vars saved values; the step adds its own. */
export async function httpStep(
  step: Step & { http: string },
  agent: AgentProcess,
  vars: Map<string, unknown>,
  normaliser: Normaliser,
): Promise<unknown> {
  let received = await send(step, agent, vars);
  for (let tries = 0; step.until !== undefined && tries < TRIES && !reached(step.until, received); tries += 1) {
    await sleep(TRY_PAUSE_MS);
    received = await send(step, agent, vars);
  }
  for (const [name, from] of Object.entries(step.save ?? {})) vars.set(name, saved(from, received));
  const { status } = received;
  if (step.statusOnly) return { status };
  return {
    status,
    headers: comparedHeaders(step, received.headers),
    kind: received.kind,
    body: sorted(comparedBody(step, received, normaliser)),
  };
}

async function send(
  step: Step & { http: string },
  agent: AgentProcess,
  vars: ReadonlyMap<string, unknown>,
): Promise<Received> {
  const space = step.http.indexOf(" ");
  const body = step.body === undefined || typeof step.body === "string" ? step.body : JSON.stringify(step.body);
  const response = await fetch(agent.base + fill(step.http.slice(space + 1), vars), {
    method: step.http.slice(0, space),
    headers: Object.entries(step.headers ?? {}).map(([name, value]): [string, string] => [name, fill(value, vars)]),
    redirect: "manual",
    signal: AbortSignal.timeout(ANSWER_MS),
    ...(body === undefined ? {} : { body: fill(body, vars) }),
  });
  const { status, headers } = response;
  const text = await response.text();
  if (text === "") return { status, headers, kind: "empty", body: null };
  try {
    return { status, headers, kind: "json", body: JSON.parse(text) as unknown };
  } catch {
    return { status, headers, kind: "text", body: text };
  }
}

function reached(until: Record<string, unknown>, { status, body }: Received): boolean {
  return Object.entries(until).every(
    ([path, want]) => canonical(path === "status" ? status : at(body, path)) === canonical(want),
  );
}

function saved(from: string, { headers, body }: Received): unknown {
  const header = /^header:(.+)$/.exec(from)?.[1];
  if (header !== undefined) return headers.get(header);
  return from === "" ? body : at(body, from);
}

function comparedHeaders(step: Step, headers: Headers): Record<string, string> {
  const compared: Record<string, string> = {};
  for (const name of COMPARED_HEADERS) {
    const value = headers.get(name);
    if (value === null || step.ignoreHeaders?.includes(name)) continue;
    compared[name] =
      COUNTERS.has(name) && /^\d+$/.test(value)
        ? "<int>"
        : COUNTERS.has(name)
          ? value
          : value.toLowerCase().replaceAll(/; */g, "; ");
  }
  return compared;
}

function comparedBody(step: Step, { kind, body }: Received, normaliser: Normaliser): unknown {
  let compared = normaliser.json(body);
  if (kind === "text" && LIBRARY_WORDS.some((words) => (compared as string).includes(words))) compared = MESSAGE;
  if (step.shape) compared = shapeOf(compared);
  for (const path of step.ignore ?? []) remove(compared, path.split("."));
  const list =
    typeof step.unordered === "string" ? at(compared, step.unordered) : step.unordered === true ? compared : null;
  if (Array.isArray(list)) list.sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1));
  return compared;
}
