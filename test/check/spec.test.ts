// Specs: bounds, equality, and how definitions become specs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkSpec } from "../../src/check/definition.ts";
import { boundedSpec, type CheckSpec, isSameSpec, noTiming } from "../../src/check/spec.ts";
import { type CheckDefinition, decodeCheckDefinition } from "../../src/config/check-definition.ts";
import { OperationalError } from "../../src/types/error.ts";

const http: CheckSpec = {
  ...noTiming,
  intervalMs: 10_000,
  kind: "http",
  url: "http://127.0.0.1/",
  method: "",
  headers: { A: ["1"], B: ["2"] },
  body: "",
  disableRedirects: false,
  tlsServerName: "",
  tlsSkipVerify: false,
};
const ttl: CheckSpec = { ...noTiming, kind: "ttl", ttlMs: 15_000 };
const script: CheckSpec = { ...noTiming, intervalMs: 1, kind: "script", args: ["true"] };

test("bounded: defaults are filled in", () => {
  const { spec, warnings } = boundedSpec(http, 0);
  assert.deepEqual(
    [spec.intervalMs, spec.timeoutMs, spec.outputBytesMax, spec.failuresBeforeWarning],
    [10_000, 10_000, 4096, 0],
  );
  assert.deepEqual(warnings, []);
  assert.equal(boundedSpec({ ...http, failuresBeforeCritical: 3 }, 0).spec.failuresBeforeWarning, 3);
  assert.equal(
    boundedSpec({ ...http, failuresBeforeCritical: 3, failuresBeforeWarning: 1 }, 0).spec.failuresBeforeWarning,
    1,
  );
});

test("bounded: short intervals are raised and told of, also for scripts, whose timeout is 30 seconds", () => {
  const { spec, warnings } = boundedSpec(script, 0);
  assert.deepEqual([spec.intervalMs, spec.timeoutMs], [1000, 30_000]);
  assert.equal(warnings.length, 1);
});

test("bounded: a TTL has no interval to raise", () => {
  const { spec, warnings } = boundedSpec(ttl, 0);
  assert.deepEqual([spec.intervalMs, warnings], [0, []]);
});

test("bounded: a service is kept for a minute at least", () => {
  const { spec, warnings } = boundedSpec({ ...ttl, deregisterCriticalServiceAfterMs: 1000 }, 0);
  assert.deepEqual([spec.deregisterCriticalServiceAfterMs, warnings.length], [60_000, 1]);
});

test("bounded: the smaller limit of output counts", () => {
  assert.equal(boundedSpec({ ...ttl, outputBytesMax: 10 }, 100).spec.outputBytesMax, 10);
  assert.equal(boundedSpec({ ...ttl, outputBytesMax: 1000 }, 100).spec.outputBytesMax, 100);
  assert.equal(boundedSpec(ttl, 100).spec.outputBytesMax, 100);
});

test("same: the order of headers does not count, every value does", () => {
  assert.equal(isSameSpec(http, { ...http, headers: { B: ["2"], A: ["1"] } }), true);
  assert.equal(isSameSpec(http, { ...http, headers: { B: ["2"], A: ["2"] } }), false);
  assert.equal(isSameSpec(http, { ...http, intervalMs: 10_001 }), false);
  assert.equal(isSameSpec(script, { ...script, args: ["true", ""] }), false);
  assert.equal(isSameSpec(ttl, http), false);
});

const definitions: [Record<string, unknown>, Partial<Record<string, unknown>>][] = [
  [{ TTL: "15s" }, { kind: "ttl", ttlMs: 15_000 }],
  [
    { HTTP: "http://a/", Interval: "10s", Method: "PUT", Header: { X: ["1"] }, Body: "b", TLSSkipVerify: true },
    { kind: "http", url: "http://a/", method: "PUT", body: "b", tlsSkipVerify: true, intervalMs: 10_000 },
  ],
  [
    { TCP: "a:1", Interval: "1m", Timeout: "1s" },
    { kind: "tcp", address: "a:1", useTls: false, timeoutMs: 1000 },
  ],
  [
    { AliasNode: "n2", AliasService: "web" },
    { kind: "alias", node: "n2", serviceId: "web" },
  ],
  [
    { Args: ["a", "b"], Interval: "10s" },
    { kind: "script", args: ["a", "b"] },
  ],
  [
    { DockerContainerID: "c", Args: ["a"], Interval: "10s" },
    { kind: "docker", target: "c" },
  ],
  [
    { GRPC: "a:1", Interval: "10s" },
    { kind: "grpc", target: "a:1" },
  ],
  [
    { UDP: "a:1", Interval: "10s" },
    { kind: "udp", target: "a:1" },
  ],
  [
    { H2PING: "a:1", Interval: "10s" },
    { kind: "h2ping", target: "a:1" },
  ],
  [
    { OSService: "w", Interval: "10s" },
    { kind: "os_service", target: "w" },
  ],
  [
    {
      TTL: "1s",
      SuccessBeforePassing: 2,
      FailuresBeforeCritical: 3,
      DeregisterCriticalServiceAfter: "90m",
      OutputMaxSize: 7,
    },
    {
      successBeforePassing: 2,
      failuresBeforeCritical: 3,
      deregisterCriticalServiceAfterMs: 5_400_000,
      outputBytesMax: 7,
    },
  ],
];
for (const [body, wanted] of definitions) {
  test(`definition: ${JSON.stringify(body)}`, () => {
    const spec = checkSpec(decodeCheckDefinition({ Name: "c", ...body }, { source: "http" })) as unknown as Record<
      string,
      unknown
    >;
    for (const [key, value] of Object.entries(wanted)) assert.deepEqual(spec[key], value, key);
  });
}

test("definition: one that names no way to check is refused", () => {
  const definition = decodeCheckDefinition({ Name: "c", TTL: "1s" }, { source: "http" });
  const none: CheckDefinition = { ...definition, type: "" };
  assert.throws(() => checkSpec(none), OperationalError);
});
