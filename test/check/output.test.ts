// What is kept of outputs, and what outcomes say: tables.
import assert from "node:assert/strict";
import { test } from "node:test";
import { capturedOutput, expiredOutput, pushedOutput } from "../../src/check/output.ts";
import {
  httpFailure,
  httpOutcome,
  scriptOutcome,
  scriptTimeout,
  splitAddress,
  tcpSuccess,
} from "../../src/check/outcome.ts";
import { utf8 } from "../../src/util/bytes.ts";

const pushed: [string, number, string][] = [
  ["fine", 4, "fine"],
  ["", 4, ""],
  ["abcdef", 4, "abcd ... (captured 4 of 6 bytes)"],
  ["äöü", 6, "äöü"],
  ["äöü", 4, "äö ... (captured 4 of 6 bytes)"],
  // A character cut in two is replaced.
  ["äöü", 3, "ä\uFFFD ... (captured 3 of 6 bytes)"],
];
for (const [output, max, kept] of pushed) {
  test(`pushed: ${JSON.stringify(output)} within ${max} bytes keeps its head`, () =>
    assert.equal(pushedOutput(output, max), kept));
}

test("expired: the last output is told, when there was one", () => {
  assert.equal(expiredOutput(""), "TTL expired");
  assert.equal(expiredOutput("all good"), "TTL expired (last output before timeout follows): all good");
});

test("captured: a cut output says how much there was", () => {
  assert.equal(capturedOutput(utf8("all"), 3), "all");
  assert.equal(capturedOutput(utf8("tail"), 10), "Captured 4 of 10 bytes\n...\ntail");
});

const answers: [number, string, string, string][] = [
  [200, "OK", "passing", "200 OK"],
  [204, "", "passing", "204 No Content"],
  [299, "Odd", "passing", "299 Odd"],
  [199, "", "critical", "199 "],
  [302, "Found", "critical", "302 Found"],
  [404, "", "critical", "404 Not Found"],
  [429, "", "warning", "429 Too Many Requests"],
  [503, "", "critical", "503 Service Unavailable"],
  [599, "", "critical", "599 "],
];
for (const [code, reason, status, shown] of answers) {
  test(`http: ${code} is ${status}`, () => {
    const outcome = httpOutcome("GET", "http://a/", code, reason, "body");
    assert.deepEqual(outcome, { status, output: `HTTP GET http://a/: ${shown} Output: body` });
  });
}

test("http: no answer is critical and says why", () => {
  assert.deepEqual(httpFailure("POST", "http://a/", "refused"), {
    status: "critical",
    output: 'Post "http://a/": refused',
  });
});

test("tcp: a connection is passing", () =>
  assert.deepEqual(tcpSuccess("[::1]:80"), { status: "passing", output: "TCP connect [::1]:80: Success" }));

const codes: [number | null, string][] = [
  [0, "passing"],
  [1, "warning"],
  [2, "critical"],
  [127, "critical"],
  [null, "critical"],
];
for (const [code, status] of codes) {
  test(`script: exit code ${code} is ${status}`, () =>
    assert.deepEqual(scriptOutcome(code, utf8("said"), 4), { status, output: "said" }));
}

test("script: a timeout tells how long, and what the program had said", () => {
  assert.equal(scriptTimeout(30_000, utf8(""), 0).output, "Timed out (30s) running check");
  assert.equal(scriptTimeout(1500, utf8("half"), 4).output, "Timed out (1.5s) running check\n\nhalf");
  assert.equal(scriptTimeout(1500, utf8("half"), 4).status, "critical");
});

const addresses: [string, ReturnType<typeof splitAddress>][] = [
  ["10.0.0.1:80", { host: "10.0.0.1", port: 80 }],
  ["db.example:5432", { host: "db.example", port: 5432 }],
  ["[::1]:65535", { host: "::1", port: 65_535 }],
  [":80", { host: "localhost", port: 80 }],
  ["10.0.0.1", "missing port in address"],
  ["[::1]", "missing port in address"],
  ["::1:80", "too many colons in address"],
  ["[::1:80", "missing ']' in address"],
  ["[::1]x:80", "missing ']' in address"],
  ["a:", 'invalid port ""'],
  ["a:0", 'invalid port "0"'],
  ["a:65536", 'invalid port "65536"'],
  ["a:http", 'invalid port "http"'],
  ["a:-1", 'invalid port "-1"'],
];
for (const [address, parts] of addresses) {
  test(`address: ${address}`, () => assert.deepEqual(splitAddress(address), parts));
}
