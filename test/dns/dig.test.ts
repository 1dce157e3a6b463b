// `dig` against the listeners of Node, Bun and Deno, each in a process of its own.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { networkInterfaces } from "node:os";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../../", import.meta.url));
const program = fileURLToPath(new URL("listener-process.ts", import.meta.url));
const path = [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter);
const hasDig = path.split(delimiter).some((folder) => existsSync(join(folder, "dig")));
const skip = hasDig ? false : "dig is not installed";

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));
const skipIpv6 = skip || (hasIpv6 ? false : "this machine has no IPv6");

const runtimes: [title: string, runtime: string, command: string[]][] = [
  ["Node", "node", ["node"]],
  ["Bun", "bun", ["bun"]],
  ["Deno", "deno", ["deno", "run", "-A", "--no-check"]],
  ["Deno with --unstable-net", "deno", ["deno", "run", "-A", "--no-check", "--unstable-net"]],
];

type Dig = (...args: string[]) => Promise<string[]>;

/** Starts a listener; the test's end ends it. Gives what asks it: the lines that dig writes. */
async function listener(t: TestContext, runtime: string, command: string[], address: string): Promise<Dig> {
  const child = spawn(command[0]!, [...command.slice(1), program, runtime, address], {
    cwd: root,
    env: { ...process.env, PATH: path },
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(async () => {
    const ended = child.exitCode === null ? once(child, "exit") : null;
    child.stdin.end();
    await ended;
    assert.equal(child.exitCode, 0, "the listener closes and the process ends by itself");
  });
  const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  const port = line.trim();
  const run = promisify(execFile);
  return async (...args) => {
    const asked = ["-p", port, `@${address}`, "+tries=3", "+time=5", ...args];
    const { stdout } = await run("dig", asked, { env: { ...process.env, PATH: path } });
    return stdout.split("\n").filter((text) => text !== "");
  };
}

const header = (lines: string[]): string => lines.find((line) => line.includes("flags:")) ?? "";
const status = (lines: string[]): string => /status: (\w+)/.exec(lines.join("\n"))?.[1] ?? "";

for (const [title, runtime, command] of runtimes) {
  test(`dig asks ${title} by UDP and TCP, over IPv4`, { skip }, async (t) => {
    const dig = await listener(t, runtime, command, "127.0.0.1");
    const few = await dig("web.service.consul", "A", "+noedns", "+ignore");
    assert.match(header(few), /qr aa tc rd ra; QUERY: 1, ANSWER: 3,/);
    assert.equal((await dig("web.service.consul", "A", "+short", "+bufsize=4096")).length, 40);
    // Truncated by UDP, dig asks again by TCP.
    assert.equal((await dig("web.service.consul", "A", "+short", "+noedns")).length, 40);
    const srv = await dig("v1.web.service.consul", "SRV", "+tcp");
    assert.match(header(srv), /ANSWER: 40, AUTHORITY: 0, ADDITIONAL: 41$/);
    assert.deepEqual(await dig("SIX.node.consul", "AAAA", "+short"), ["2001:db8::1"]);
    assert.deepEqual(await dig("six.node.consul", "TXT", "+short"), ['"key=value"']);
    assert.deepEqual(await dig("-x", "10.0.0.7", "+short"), ["n7.node.dc1.consul."]);
    const none = await dig("none.service.consul", "+cookie=0123456789abcdef");
    assert.equal(status(none), "NXDOMAIN");
    assert.ok(
      none.some((line) =>
        /^consul\.\s+0\s+IN\s+SOA\s+ns\.consul\. hostmaster\.consul\. \d+ 3600 600 86400 0$/.test(line),
      ),
    );
    assert.equal(status(await dig("web.service.consul", "+opcode=NOTIFY")), "NOTIMP");
    // The recursor, port 1 of this machine, answers nobody.
    assert.equal(status(await dig("www.example.com")), "SERVFAIL");
  });

  test(`dig asks ${title} over IPv6`, { skip: skipIpv6 }, async (t) => {
    const dig = await listener(t, runtime, command, "::1");
    assert.equal((await dig("web.service.consul", "A", "+short", "+bufsize=4096")).length, 40);
    assert.equal((await dig("web.service.consul", "A", "+short", "+tcp")).length, 40);
  });
}
