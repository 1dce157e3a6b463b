// The program around the command line: words in, exit code out, the same on Node, Bun and Deno.
import { runCli } from "../../src/cli/run.ts";
import { VERSION } from "../../src/version.ts";
import { drain, nodeCliIo } from "./cli-io.ts";
import { runAgent, type Runtime } from "./run-agent.ts";

/** Runs one command line and ends the process with its exit code. */
export async function run(args: readonly string[], runtime: Runtime): Promise<void> {
  const version = { version: VERSION, revision: "", buildDate: "" };
  const code = await runCli(nodeCliIo(args, version, (words) => runAgent(words, runtime)));
  await drain();
  process.exit(code);
}
