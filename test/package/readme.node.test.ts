// The tour of README.md, typed as it stands there against an agent of its own: what it prints is what the page says, save the
// ports, the node's name and indexes, which are this run's.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type AgentProcess,
  childEnvironment,
  freePorts,
  startAgentProcess,
  toolCommand,
} from "../conformance/agent-process.ts";
import { eventually } from "../support/process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const END = "--- end of a command ---";

interface Line {
  command: string;
  output: string;
}

/** The text under a heading. */
function section(heading: string): string {
  const from = readme.indexOf(`\n## ${heading}\n`);
  assert.ok(from >= 0, `there is a section "${heading}"`);
  return readme.slice(from, readme.indexOf("\n## ", from + 1));
}

/** The commands of the ```console blocks, in order, and what the page says they print. */
function tour(page: string): Line[] {
  const lines: Line[] = [];
  for (const [, block] of page.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
    for (const line of (block as string).split("\n").slice(0, -1)) {
      if (line.startsWith("$ ")) lines.push({ command: line.slice(2), output: "" });
      else (lines.at(-1) as Line).output += `${line}\n`;
    }
  }
  return lines;
}

/** Types the commands into one shell; gives what each printed. */
async function type(commands: readonly string[], http: string): Promise<string[]> {
  const script = commands.map((command) => `${command}\necho; echo '${END}'`).join("\n");
  const environment = childEnvironment({
    CONSUL_HTTP_ADDR: http,
    PATH: join(root, "node_modules/.bin") + delimiter + process.env.PATH,
  });
  const shell = spawn("bash", ["-u"], { cwd: root, env: environment, stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  shell.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise((resolve) => shell.once("close", resolve));
  shell.stdin.end(script);
  await ended;
  return output.split(`${END}\n`).slice(0, -1);
}

function withPorts(text: string, agent: AgentProcess): string {
  return text.replaceAll("8500", String(agent.ports.http)).replaceAll("8600", String(agent.ports.dns));
}

/** The page's ports, exchanged for others. */
const withOther = (text: string, ports: ReadonlyMap<string, number>): string =>
  text.replaceAll(/\b8\d{3}\b/g, (port) => String(ports.get(port) ?? port));

const plain = (text: string): string =>
  text
    .replaceAll(/Index": \d+/g, 'Index": n')
    .replaceAll(/[ \t]+/g, " ")
    .trim();

const missing = ["bash", "curl", "dig"].filter(
  (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0,
);

test(
  "README: the tour prints what the page says",
  { skip: missing.length > 0 && `not on this machine: ${missing.join(", ")}` },
  async () => {
    const lines = tour(section("Five minutes"));
    assert.ok(lines.length > 15, "there is a tour");
    const agent = await startAgentProcess(toolCommand("node"), { node: "vm" });
    try {
      const printed = await type(
        lines.map(({ command }) => withPorts(command, agent)),
        agent.base,
      );
      for (const [at, { command, output }] of lines.entries())
        assert.equal(plain(printed[at] ?? ""), plain(withPorts(output, agent)), command);
    } finally {
      await agent.stop();
    }
  },
);

test(
  "README: a datacenter on Cloudflare, run here and used as the page says",
  { skip: missing.length > 0 && `not on this machine: ${missing.join(", ")}`, timeout: 120_000 },
  async () => {
    const page = section("On Cloudflare");
    assert.match(page, /^npm run dev:worker /m);
    const lines = tour(page);
    assert.equal(lines.length, 3);
    const [port] = (await freePorts(1)) as [number];
    const dir = mkdtempSync(join(tmpdir(), "proconsul-readme-"));
    const environment = childEnvironment({
      WRANGLER_SEND_METRICS: "false",
      CI: "1",
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
    });
    // What `npm run dev:worker` runs, at a port of its own and without the state of before.
    const words = ["dev", "--port", String(port), "--inspector-port", "0", "--persist-to", dir];
    const wrangler = spawn(join(root, "node_modules/.bin/wrangler"), words, {
      cwd: root,
      env: environment,
      detached: true,
      stdio: "ignore",
    });
    const end = (): void => void process.kill(-(wrangler.pid as number), "SIGKILL");
    process.on("exit", end);
    const ended = new Promise((resolve) => wrangler.once("close", resolve));
    try {
      const here = new Map([["8787", port]]);
      const isUp = (): Promise<boolean> =>
        fetch(`http://127.0.0.1:${port}/v1/status/leader`).then(
          async (response) => (await response.text()) !== '""' && response.ok,
          () => false,
        );
      await eventually("the Worker answers", isUp, 60_000);
      const commands = lines.map(({ command }) => withOther(command, here));
      const printed = await type(commands, `http://127.0.0.1:${port}`);
      for (const [at, { command, output }] of lines.entries())
        assert.equal(plain(printed[at] ?? ""), plain(output), command);
    } finally {
      process.off("exit", end);
      end();
      await ended;
      rmSync(dir, { recursive: true, force: true });
    }
  },
);

/** What differs from one run to the next: ids, who leads, how far the log is, and the order of the rows. */
const anyRun = (text: string): string =>
  plain(text)
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "id")
    .replaceAll(/(?:leader|follower) true 3 \d+ (?:-|\d+ commits?)$/gm, "state true 3 n trail")
    .split("\n")
    .sort()
    .join("\n");

test(
  "README: a datacenter of three runtimes, started and used as the page says",
  { skip: missing.length > 0 && `not on this machine: ${missing.join(", ")}`, timeout: 120_000 },
  async () => {
    const page = section("A datacenter");
    const commands = /^```sh\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "";
    const written = [...new Set(page.match(/\b8\d{3}\b/g))];
    const free = await freePorts(written.length);
    const ports = new Map(written.map((port, at) => [port, free[at] as number]));
    const dir = mkdtempSync(join(tmpdir(), "proconsul-readme-"));
    const environment = childEnvironment({ PATH: join(root, "node_modules/.bin") + delimiter + process.env.PATH });
    // All of them are one group of processes, which ends as a whole.
    const shell = spawn("bash", ["-u"], {
      cwd: root,
      env: environment,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    let log = "";
    for (const stream of [shell.stdout, shell.stderr])
      stream.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-20_000)));
    const ended = new Promise((resolve) => shell.once("close", resolve));
    const end = (): void => void process.kill(-(shell.pid as number), "SIGKILL");
    process.on("exit", end);
    try {
      shell.stdin.end(`${withOther(commands, ports).replaceAll("./data/", `${dir}/`)}\nwait\n`);
      const http = `http://127.0.0.1:${ports.get("8500")}`;
      const body = async (path: string): Promise<unknown> =>
        fetch(`${http}${path}`).then(
          (response) => (response.ok ? response.json() : null),
          () => null,
        );
      await eventually(
        "all have found each other, and the catalog has them",
        async () => {
          const [members, nodes, raft] = await Promise.all(
            ["/v1/agent/members", "/v1/catalog/nodes", "/v1/operator/raft/configuration"].map(body),
          );
          const rows = (raft as { Servers: unknown[] } | null)?.Servers;
          return [members, nodes].every((list) => (list as unknown[] | null)?.length === 4) && rows?.length === 3;
        },
        60_000,
      );
      const lines = tour(page);
      const printed = await type(
        lines.map(({ command }) => withOther(command, ports)),
        http,
      );
      for (const [at, { command, output }] of lines.entries())
        assert.equal(anyRun(printed[at] ?? ""), anyRun(withOther(output, ports)), command);
    } catch (error) {
      console.error(log);
      throw error;
    } finally {
      process.off("exit", end);
      end();
      await ended;
      rmSync(dir, { recursive: true, force: true });
    }
  },
);
