// From words to a command: help, flags, unknown words, where the agent is, errors of the connection.
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandTable } from "../../src/cli/command-table.ts";
import { flagsOf } from "../../src/cli/help.ts";
import type { TransportOptions } from "../../src/cli/io.ts";
import { runCli } from "../../src/cli/run.ts";
import { FakeIo, run } from "./fake-io.ts";

test("no command and an unknown one print the list of commands and exit with 127", async () => {
  for (const line of ["", "nope", "nope kv"]) {
    const { code, out, err } = await run(line);
    assert.equal(code, 127);
    assert.equal(out, "");
    assert.match(err, /^Usage: proconsul /);
    assert.match(err, /\n {4}kv {9,}Reads and writes the key-value store\n/);
    assert.doesNotMatch(err, /acl|kv get/);
  }
});

test("-help prints the list of commands and exits with 0", async () => {
  for (const line of ["-h", "-help", "--help"]) {
    const { code, out, err } = await run(line);
    assert.deepEqual([code, err], [0, ""]);
    assert.match(out, /Available commands are:/);
  }
});

test("--version prints the version", async () => {
  for (const line of ["-v", "-version", "--version"]) {
    const { code, out } = await run(line);
    assert.equal(code, 0);
    assert.match(out, /^Proconsul v1\.2\.3-dev\n/);
  }
});

test("a flag before the command is refused", async () => {
  const { code, err } = await run("-http-addr=x kv get a");
  assert.equal(code, 1);
  assert.match(err, /Flags stand after the command/);
});

test("a group prints its subcommands: with -help as output and 0, without as an error and 1", async () => {
  for (const line of ["kv", "kv nope", "operator", "operator raft", "catalog x y"]) {
    const { code, out, err } = await run(line);
    assert.deepEqual([code, out], [1, ""]);
    assert.match(err, /Subcommands:\n/);
  }
  const { code, out } = await run("operator raft -help");
  assert.equal(code, 0);
  assert.match(out, /list-peers.*\n.*recover.*\n.*remove-peer.*\n.*transfer-leader/);
});

test("every command has help with all of its flags", async () => {
  for (const command of commandTable.filter(({ hidden }) => !hidden))
    for (const flag of ["-h", "--help"]) {
      const { code, out, err, lines } = await run(`${command.name} ${flag}`);
      assert.deepEqual([code, err, lines], [0, "", []], command.name);
      assert.ok(out.startsWith(`Usage: proconsul ${command.name}`), command.name);
      for (const { name } of flagsOf(command)) assert.match(out, new RegExp(`\n  -${name}\\b`), command.name);
    }
});

test("no two commands have one name, and every group has members", () => {
  const names = commandTable.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { name } of commandTable.filter((command) => command.run === undefined))
    assert.ok(
      names.some((other) => other.startsWith(`${name} `)),
      name,
    );
});

test("help among the operands is help, but not behind -- and not in another program's words", async () => {
  assert.equal((await run("kv get a -h")).code, 0);
  assert.match((await run("kv put a -- -h", { "PUT /v1/kv/a": "true" })).err, /Too many arguments/);
  const { io } = await run("exec -h");
  assert.match(io.out, /^Usage: proconsul exec/);
});

test("an unknown flag or a bad value is an error with the command's help", async () => {
  const rows: [string, RegExp][] = [
    ["kv get -nope a", /^flag provided but not defined: -nope\n\nUsage: proconsul kv get/],
    ["kv put -flags=-1 a b", /^invalid value "-1" for flag -flags: parse error\n\nUsage/],
    ["kv get -token", /^flag needs an argument: -token\n/],
    ["keygen -http-addr=x", /^flag provided but not defined: -http-addr\n/],
  ];
  for (const [line, err] of rows) {
    const ran = await run(line);
    assert.equal(ran.code, 1, line);
    assert.match(ran.err, err);
    assert.deepEqual(ran.lines, []);
  }
});

test("commands that this build does not have say so", async () => {
  for (const line of [
    "acl token list",
    "tls ca create",
    "login -method=x",
    "keyring -list",
    "operator usage instances",
  ]) {
    const { code, out, err } = await run(line);
    assert.deepEqual([code, out], [1, ""], line);
    assert.match(err, /^"[a-z ]+" is unsupported: this build does not have /);
  }
});

test("flags beat the environment, which beats the default", async () => {
  const asked = async (line: string, env: Record<string, string>): Promise<[string, string | null, string | null]> => {
    const { io } = await run(line, { "GET /v1/catalog/datacenters": ["dc1"] }, (fake) => {
      fake.env = env;
      fake.files.set("token", new TextEncoder().encode(" from-file\n"));
    });
    const [first] = io.agent.asked;
    assert.ok(first, io.err);
    return [first.url.href, first.headers.get("X-Consul-Token"), first.headers.get("Authorization")];
  };
  const path = "/v1/catalog/datacenters";
  const line = "catalog datacenters";
  assert.deepEqual(await asked(line, {}), [`http://127.0.0.1:8500${path}`, null, null]);
  assert.deepEqual(await asked(line, { CONSUL_HTTP_ADDR: "10.0.0.1:80", CONSUL_HTTP_TOKEN: "t" }), [
    `http://10.0.0.1${path}`,
    "t",
    null,
  ]);
  assert.deepEqual(await asked(`${line} -http-addr=https://h:1/base/ -token=f`, { CONSUL_HTTP_TOKEN: "t" }), [
    `https://h:1/base${path}`,
    "f",
    null,
  ]);
  assert.equal(
    (await asked(line, { CONSUL_HTTP_SSL: "true", CONSUL_HTTP_ADDR: "h:8501" }))[0],
    `https://h:8501${path}`,
  );
  assert.equal((await asked(line, { CONSUL_HTTP_TOKEN_FILE: "token", CONSUL_HTTP_TOKEN: "t" }))[1], "from-file");
  assert.equal((await asked(`${line} -token-file=token`, {}))[1], "from-file");
  assert.equal((await asked(`${line} -token=f`, { CONSUL_HTTP_TOKEN_FILE: "token" }))[1], "f");
  assert.equal((await asked(line, { CONSUL_HTTP_AUTH: "u:p" }))[2], "Basic dTpw");
  assert.equal((await asked(`${line} -datacenter=dc2`, {}))[0], `http://127.0.0.1:8500${path}?dc=dc2`);
});

test("addresses and files that make no sense are told before anything is sent", async () => {
  const rows: [string, Record<string, string>, RegExp][] = [
    ["info -http-addr=ftp://x", {}, /Unknown protocol scheme: ftp/],
    ["info -http-addr=http://[", {}, /bad address/],
    ["info -token-file=none", {}, /Error reading token file: open none: no such file/],
    ["info", { CONSUL_HTTP_SSL: "maybe" }, /Could not parse CONSUL_HTTP_SSL/],
    ["info -http-addr=https://h -client-cert=c", {}, /Both client cert and client key/],
    ["info -http-addr=https://h -ca-file=none", {}, /Error reading CA file/],
    ["info -namespace=team", {}, /there is no namespace "team"/],
    ["info", { CONSUL_PARTITION: "p" }, /there is no partition "p"/],
    ["info -http-addr=unix:///run/c.sock", {}, /Unix sockets are unsupported/],
  ];
  for (const [line, env, err] of rows) {
    const ran = await run(line, {}, (io) => {
      io.env = env;
    });
    assert.equal(ran.code, 1, line);
    assert.match(ran.err, err);
    assert.deepEqual(ran.lines, []);
  }
});

test("sockets and certificates go to the runtime's own transport", async () => {
  const given: TransportOptions[] = [];
  const through = async (line: string): Promise<string[]> => {
    const io = new FakeIo(line.split(" "), { "GET /v1/catalog/datacenters": ["dc1"] });
    for (const name of ["ca", "dir/a.pem", "dir/b.pem", "cert", "key"])
      io.files.set(name, new TextEncoder().encode(name));
    io.env = { CONSUL_HTTP_SSL_VERIFY: "false" };
    const withTransport = Object.assign(io, {
      transport: async (options: TransportOptions) => {
        given.push(options);
        return io.fetch;
      },
    });
    assert.equal(await runCli(withTransport), 0, io.err);
    return io.agent.asked.map(({ url }) => url.href);
  };
  const line = "catalog datacenters -http-addr=";
  assert.deepEqual(await through(`${line}unix:///run/c.sock`), ["http://localhost/v1/catalog/datacenters"]);
  await through(`${line}https://h -ca-file=ca -client-cert=cert -client-key=key -tls-server-name=n`);
  await through(`${line}https://h -ca-path=dir`);
  assert.deepEqual(given, [
    { unixSocket: "/run/c.sock" },
    { ca: "ca", cert: "cert", key: "key", serverName: "n", insecure: true },
    { ca: "dir/a.pem\ndir/b.pem", insecure: true },
  ]);
});

test("a connection that fails is told in Go's words, whichever runtime it was", async () => {
  const failures: [unknown, string][] = [
    [{ cause: { code: "ECONNREFUSED", message: "connect ECONNREFUSED 127.0.0.1:1" } }, "connect: connection refused"],
    [{ code: "ConnectionRefused" }, "connect: connection refused"],
    [{ message: "tcp connect error: Connection refused (os error 111)" }, "connect: connection refused"],
    [{ cause: { code: "ENOTFOUND" } }, "lookup: no such host"],
    [{ cause: { errors: [{ message: "connect ECONNREFUSED ::1:1" }], message: "" } }, "connect: connection refused"],
  ];
  for (const [failure, reason] of failures) {
    const { code, err } = await run("kv get -http-addr=127.0.0.1:1 a", () => {
      throw Object.assign(new TypeError("fetch failed"), failure);
    });
    assert.equal(code, 1);
    assert.equal(
      err,
      `Error querying Consul agent: Get "http://127.0.0.1:1/v1/kv/a": dial tcp 127.0.0.1:1: ${reason}\n`,
    );
  }
});

test("agent hands its words to the runtime once they are in order", async () => {
  const good = await run("agent -dev -node=n1");
  assert.deepEqual([good.code, good.io.agentRuns], [0, [["-dev", "-node=n1"]]]);
  const bad = await run("agent -dev -nope");
  assert.deepEqual([bad.code, bad.io.agentRuns], [1, []]);
  assert.match(bad.err, /flag provided but not defined: -nope/);
  const extra = await run("agent -dev now");
  assert.deepEqual([extra.code, extra.io.agentRuns], [1, []]);
  assert.match(extra.err, /Unexpected extra arguments: \[now\]/);
});
