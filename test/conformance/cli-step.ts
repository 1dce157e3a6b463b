// Runs one command line of a scenario and gives exit code, output and errors in the form of the recordings. Of a command
// that fails only the exit code counts and that it says something: the words are its own.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AgentProcess, childEnvironment } from "./agent-process.ts";
import { fill } from "./http-step.ts";
import type { Normaliser } from "./normalise.ts";
import { type Step, wordsOf } from "./scenario.ts";

const COMMAND_MS = 20_000;

/** @param command the words that run the tool. */
export async function cliStep(
  step: Step & { cli: string },
  command: readonly string[],
  agent: AgentProcess,
  vars: ReadonlyMap<string, unknown>,
  normaliser: Normaliser,
): Promise<unknown> {
  for (const [name, text] of Object.entries(step.files ?? {})) writeFileSync(join(agent.dir, name), fill(text, vars));
  const { code, out, err } = await run([...command, ...wordsOf(fill(step.cli, vars))], step, agent);
  if (step.codeOnly) return { code };
  if (code !== 0) return { code, said: out === "" && err === "" ? "nothing" : "a message" };
  const lines = (text: string): string[] => linesOf(commandText(text, agent, normaliser), step.unordered === true);
  return { code, out: lines(out), err: step.anyErr ? "any" : lines(err) };
}

interface Ended {
  /** null when it had to be killed. */
  code: number | null;
  out: string;
  err: string;
}

function run(words: readonly string[], step: Step, agent: AgentProcess): Promise<Ended> {
  const env = childEnvironment({ CONSUL_HTTP_ADDR: agent.base.slice("http://".length), ...step.env });
  const child = spawn(words[0] as string, words.slice(1), { cwd: agent.dir, env, stdio: ["pipe", "pipe", "pipe"] });
  const ended: Ended = { code: null, out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (ended.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (ended.err += chunk.toString()));
  // A command that does not read its input closes it.
  child.stdin.on("error", () => {});
  child.stdin.end(step.stdin ?? "");
  const timer = setTimeout(() => child.kill("SIGKILL"), step.limit ?? COMMAND_MS);
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("close", (code) => {
      clearTimeout(timer);
      resolve({ ...ended, code });
    });
  });
}

/** What differs from run to run in the output of commands, beside ids, times and ports. */
function commandText(text: string, agent: AgentProcess, normaliser: Normaliser): string {
  return normaliser
    .text(text)
    .replaceAll(agent.dir, "<dir>")
    .replaceAll(agent.base, "<base>")
    .replaceAll(/\b[\da-f]{8}\b/g, "<id>")
    .replaceAll(/index=\d+/g, "index=<int>")
    .replaceAll(/^(\w*Index +)\d+$/gm, "$1<int>")
    .replaceAll(/[\d.]+ ?(?:ms|µs)\b/g, "<ms>");
}

/** Lines, with columns told apart by two spaces however wide they are. */
function linesOf(text: string, unordered: boolean): string[] {
  const lines = text
    .replaceAll("\r", "")
    .split("\n")
    .map((line) => line.replaceAll(/[ \t]{2,}/g, "  ").trimEnd());
  while (lines.at(-1) === "") lines.pop();
  return unordered ? lines.sort() : lines;
}
