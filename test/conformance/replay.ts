// Replays the scenarios of the conformance suite against a fresh agent per area and compares each answer with the one
// that a real Consul gave.
//
//   node test/conformance/replay.ts [--runtime node,bun,deno] [--area kv,dns] [--verbose]
//   node test/conformance/replay.ts --command "node dist/cli.js"     any program that takes Consul's command lines
//   node test/conformance/replay.ts --through client                 a client agent of three servers answers
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { acceptedDifferences } from "./accepted.ts";
import { type AgentProcess, type RuntimeName, startAgentProcess, toolCommand } from "./agent-process.ts";
import { cliStep } from "./cli-step.ts";
import { startDatacenterProcess } from "./datacenter-process.ts";
import { differences } from "./compare.ts";
import { dnsStep } from "./dns-step.ts";
import { httpStep } from "./http-step.ts";
import { Normaliser } from "./normalise.ts";
import { type Area, areaNames, loadArea, type Scenario, type Step, stepId } from "./scenario.ts";

/** Areas that wait for a later part of the project. */
export const LATER_AREAS: readonly string[] = ["acl"];

/** How one step went. */
export interface Outcome {
  area: string;
  scenario: string;
  id: string;
  /** Where the answer differs from the recording; empty when it does not. */
  differences: string[];
}

/**
 * Replays one area.
 * @param command the words that run the tool.
 * @param start starts who is asked; absent: one agent for development.
 * @throws Error when its agent does not start.
 */
export async function replayArea(
  area: Area,
  command: readonly string[],
  start: typeof startAgentProcess = startAgentProcess,
): Promise<Outcome[]> {
  const agent = await start(command, area.agent);
  const vars = new Map<string, unknown>(Object.entries(area.vars));
  const outcomes: Outcome[] = [];
  try {
    for (const scenario of area.scenarios) {
      const normaliser = new Normaliser(agent.ports);
      for (const [at, step] of scenario.steps.entries()) {
        const answer = await answerTo(step, command, agent, vars, normaliser);
        const outcome = judge(area, scenario, stepId(scenario, step, at), step, answer);
        if (outcome !== null) outcomes.push(outcome);
      }
    }
    return outcomes;
  } finally {
    await agent.stop();
  }
}

async function answerTo(
  step: Step,
  command: readonly string[],
  agent: AgentProcess,
  vars: Map<string, unknown>,
  normaliser: Normaliser,
): Promise<unknown> {
  if (step.wait !== undefined) await sleep(step.wait);
  const { http, dns, cli } = step;
  try {
    if (http !== undefined) return await httpStep({ ...step, http }, agent, vars, normaliser);
    if (dns !== undefined) return await dnsStep({ ...step, dns }, agent, normaliser);
    return await cliStep({ ...step, cli: cli ?? "" }, command, agent, vars, normaliser);
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}

/** null for a step that only prepares. */
function judge(area: Area, scenario: Scenario, id: string, step: Step, answer: unknown): Outcome | null {
  const recorded = area.golden.has(id);
  if (step.setup && !recorded) return null;
  const found = recorded ? differences(area.golden.get(id), answer) : ["no recording"];
  return { area: area.name, scenario: scenario.name, id, differences: found };
}

async function main(): Promise<number> {
  const { values: flags } = parseArgs({
    options: {
      runtime: { type: "string", default: "node" },
      command: { type: "string" },
      through: { type: "string", default: "server" },
      area: { type: "string" },
      verbose: { type: "boolean", default: false },
    },
  });
  const commands: [string, string[]][] =
    flags.command === undefined
      ? flags.runtime.split(",").map((runtime) => [runtime, toolCommand(runtime as RuntimeName)])
      : [[flags.command, flags.command.split(" ")]];
  const start: typeof startAgentProcess = (command, options = {}) =>
    flags.through === "client"
      ? startDatacenterProcess(command, flags.runtime as RuntimeName, options)
      : startAgentProcess(command, options);
  const areas = flags.area?.split(",") ?? areaNames().filter((name) => !LATER_AREAS.includes(name));
  const accepted = acceptedDifferences();
  const total = { passed: 0, accepted: 0, failed: 0 };
  for (const [title, command] of commands) {
    for (const name of areas) {
      const area = { passed: 0, accepted: 0, failed: 0 };
      for (const { id, differences: found } of await replayArea(await loadArea(name), command, start)) {
        const verdict = found.length === 0 ? "passed" : accepted.has(`${name}: ${id}`) ? "accepted" : "failed";
        area[verdict] += 1;
        total[verdict] += 1;
        if (verdict === "passed" || (verdict === "accepted" && !flags.verbose)) continue;
        console.log(`${verdict === "failed" ? "FAIL" : "accepted"} ${name}: ${id}`);
        for (const line of found.slice(0, flags.verbose ? found.length : 4)) console.log(`       ${line}`);
      }
      console.log(`${title}: ${name}: ${area.passed} passed, ${area.accepted} accepted, ${area.failed} failed`);
    }
  }
  console.log(`${total.passed} passed, ${total.accepted} accepted, ${total.failed} failed`);
  return total.failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main());
