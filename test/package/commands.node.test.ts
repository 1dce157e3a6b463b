// The commands that README.md names for running an agent from a clone, each on the runtime that it promises.
import assert from "node:assert/strict";
import { delimiter, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startAgentProcess } from "../conformance/agent-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const bin = join(root, "node_modules/.bin");
const agent = join(root, "agent.ts");
// `npm` and scripts find the runtimes that are installed with the project.
process.env.PATH = bin + delimiter + process.env.PATH;

const commands: { title: string; words: string[]; runtime: string }[] = [
  { title: "npm run agent", words: ["npm", "run", "--prefix", root, "agent", "--"], runtime: "node" },
  { title: "node agent.ts", words: ["node", agent], runtime: "node" },
  { title: "bun run agent", words: ["bun", "run", "--cwd", root, "agent"], runtime: "bun" },
  { title: "deno run -A agent.ts", words: ["deno", "run", "-A", agent], runtime: "deno" },
];

describe("commands", { concurrency: 2 }, () => {
  for (const { title, words, runtime } of commands) {
    test(`commands: \`${title}\` runs an agent on ${runtime}`, async () => {
      const process_ = await startAgentProcess(words, { group: true });
      try {
        assert.match(process_.log(), new RegExp(`Version: '[^']+' \\(.*\\b${runtime}\\)`));
        const put = await fetch(`${process_.base}/v1/kv/a`, { method: "PUT", body: "x" });
        assert.equal(await put.json(), true);
      } finally {
        await process_.stop();
      }
    });
  }
});
