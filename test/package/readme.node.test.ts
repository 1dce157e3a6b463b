// The tour of README.md, typed as it stands there against an agent of its own: what it prints is what the page says, save the
// ports, the node's name and indexes, which are this run's.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type AgentProcess, childEnvironment, startAgentProcess, toolCommand } from "../conformance/agent-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const END = "--- end of a command ---";

interface Line {
  command: string;
  output: string;
}

/** The commands of the ```console blocks, in order, and what the page says they print. */
function tour(): Line[] {
  const lines: Line[] = [];
  for (const [, block] of readme.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
    for (const line of (block as string).split("\n").slice(0, -1)) {
      if (line.startsWith("$ ")) lines.push({ command: line.slice(2), output: "" });
      else (lines.at(-1) as Line).output += `${line}\n`;
    }
  }
  return lines;
}

/** Types the commands into one shell, with this agent's ports; gives what each printed. */
async function type(commands: readonly string[], agent: AgentProcess): Promise<string[]> {
  const script = commands.map((command) => `${withPorts(command, agent)}\necho; echo '${END}'`).join("\n");
  const environment = childEnvironment({
    CONSUL_HTTP_ADDR: agent.base,
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
    const lines = tour();
    assert.ok(lines.length > 15, "there is a tour");
    const agent = await startAgentProcess(toolCommand("node"), { node: "vm" });
    try {
      const printed = await type(
        lines.map(({ command }) => command),
        agent,
      );
      for (const [at, { command, output }] of lines.entries())
        assert.equal(plain(printed[at] ?? ""), plain(withPorts(output, agent)), command);
    } finally {
      await agent.stop();
    }
  },
);
