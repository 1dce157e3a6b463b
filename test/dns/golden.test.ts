// What a real Consul answered, step by step: the scenarios of the conformance suite against the DNS service alone.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ask, type Reply, serviceFor } from "./ask.ts";
import { MemorySource, type Registration } from "./memory-source.ts";

interface Step {
  http?: string;
  body?: Registration & { Name: string; Service: { Service: string }; DNS: { TTL: string } };
  dns?: string;
  edns?: number;
  answersOnly?: boolean;
  countOnly?: boolean;
}
interface Recorded {
  rcode: string;
  authoritative: boolean;
  truncated: boolean;
  recursionAvailable: boolean;
  answers: string[] | number;
  authorities: string[];
  additionals: string[] | number | "any";
}

const conformance = new URL("../conformance/", import.meta.url);
const golden = JSON.parse(readFileSync(new URL("golden/dns.json", conformance), "utf8")) as Record<string, Recorded>;
const scenarioFile = pathToFileURL(fileURLToPath(new URL("scenarios/dns.mjs", conformance))).href;
const { default: area } = (await import(scenarioFile)) as {
  default: { scenarios: { name: string; steps: Step[] }[] };
};

// The agent of the recording: node n1, a server whose port the recording calls "<server>".
const SERVER_PORT = 8300;
const source = new MemorySource().register({
  Node: "n1",
  Address: "127.0.0.1",
  Service: { Service: "consul", Port: SERVER_PORT },
});
const service = serviceFor(source, { nodeTtlSeconds: 5, serviceTtlSeconds: new Map([["*", 7]]) });
let asked = 0;

for (const { name: scenario, steps } of area.scenarios) {
  test(`golden DNS answers: ${scenario}`, () => {
    for (const [at, step] of steps.entries()) {
      if (step.dns === undefined) {
        perform(step);
        continue;
      }
      const id = `${scenario} / ${at + 1}. DNS ${step.dns}`;
      const want = golden[id];
      assert.ok(want, `a recording of ${id}`);
      const [type, name] = step.dns.split(" ") as [string, string];
      // Twice: computed and, if it can be, from the cache.
      for (const turn of ["first", "again"]) {
        const reply = ask(service, type, name, step.edns === undefined ? {} : { edns: step.edns });
        assert.deepEqual(normalised(reply, step), want, `${id}, asked ${turn}`);
        asked += 1;
      }
    }
  });
}

test("golden DNS answers: all of them were asked", () => {
  const recorded = Object.keys(golden).filter((id) => id.includes(". DNS "));
  assert.ok(recorded.length > 60);
  assert.equal(asked, recorded.length * 2);
});

function perform({ http, body }: Step): void {
  if (http === "POST /v1/query") {
    const { Name, Service, DNS } = body!;
    source.query({ Name, Service: Service.Service, ttlSeconds: Number.parseInt(DNS.TTL, 10) });
  } else source.register(body!);
}

/** The form of the recordings: see `dnsStep` in the suite's lib.mjs. */
function normalised(reply: Reply, step: Step): Recorded {
  const section = (rows: readonly unknown[]): string[] =>
    (rows as Record<string, unknown>[]).map((row) => JSON.stringify(sorted(shown(row)))).sort();
  return {
    rcode: reply.rcode,
    authoritative: reply.flag_aa,
    truncated: reply.flag_tc,
    recursionAvailable: reply.flag_ra,
    answers: step.countOnly ? reply.answers.length : section(reply.answers),
    authorities: section(reply.authorities),
    additionals: step.answersOnly
      ? "any"
      : step.countOnly
        ? reply.additionals.length
        : section(reply.additionals.filter((row) => row.type !== "OPT")),
  };
}

function shown({ type, name, ttl, data }: Record<string, unknown>): unknown {
  let value = data;
  if (type === "SOA") value = { ...(data as object), serial: 0 };
  else if (Array.isArray(data)) value = data.map(String);
  else if (type === "SRV" && (data as { port: unknown }).port === SERVER_PORT) {
    value = { ...(data as object), port: "<server>" };
  }
  return { type, name, ttl, data: value };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
