// The data of the conformance suite: scenarios (what is asked) and recordings (what a real Consul answered), an area a file.
// A step's id, "scenario / 3. GET /v1/kv/a", is its name in the recordings and in docs/differences.md.
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** One thing that is asked: a request (`http`), a DNS question (`dns`) or a command line (`cli`), and how to compare. */
export interface Step {
  /** "PUT /v1/kv/a"; `{{name}}` stands for a saved value here and in bodies, headers, files and command lines. */
  http?: string;
  /** Sent as it is when text, as JSON otherwise. */
  body?: unknown;
  headers?: Record<string, string>;
  /** "SRV web.service.consul" */
  dns?: string;
  /** The UDP payload that the question says it can take. */
  edns?: number;
  norecurse?: boolean;
  /** The words after the program's name; quotes as in a shell. */
  cli?: string;
  stdin?: string;
  /** Files written beside the command first, by name. */
  files?: Record<string, string>;
  env?: Record<string, string>;
  /** The longest that the command may take, milliseconds. */
  limit?: number;

  /** Milliseconds to let pass first. */
  wait?: number;
  /** Asks again until `status`, or what is at a path in the body, has this value. */
  until?: Record<string, unknown>;
  /** Keeps what is at a path in the body, or in "header:<name>", under a name. */
  save?: Record<string, string>;
  /** Not compared when nothing was recorded: it only prepares. */
  setup?: boolean;

  /** Paths in the body that are not compared; `*` is every key. */
  ignore?: string[];
  ignoreHeaders?: string[];
  /** The order of the body, of the list at this path in it, or of the lines is open. */
  unordered?: boolean | string;
  /** Only the types of values are compared. */
  shape?: boolean;
  statusOnly?: boolean;
  /** Of a DNS answer: only how many records there are; no additional records. */
  countOnly?: boolean;
  answersOnly?: boolean;
  /** Of a command: only its exit code; not what it writes to the error output. */
  codeOnly?: boolean;
  anyErr?: boolean;
}

export interface Scenario {
  name: string;
  steps: Step[];
}

export interface Area {
  name: string;
  /** How its agent is configured. */
  agent: { config?: Record<string, unknown>; args?: string[]; node?: string; dc?: string; token?: string };
  vars: Record<string, string>;
  scenarios: Scenario[];
  /** The recorded answers, by step id. */
  golden: Map<string, unknown>;
}

const here = new URL("./", import.meta.url);

/** The areas there are, in order. */
export function areaNames(): string[] {
  return readdirSync(fileURLToPath(new URL("scenarios/", here)))
    .filter((name) => name.endsWith(".mjs"))
    .map((name) => name.slice(0, -".mjs".length))
    .sort();
}

/** Reads an area's scenarios and recordings. @throws when there is none of that name. */
export async function loadArea(name: string): Promise<Area> {
  const url = new URL(`scenarios/${name}.mjs`, here).href;
  const { default: given } = (await import(url)) as { default: Partial<Area> & Pick<Area, "scenarios"> };
  const golden = JSON.parse(readFileSync(new URL(`golden/${name}.json`, here), "utf8")) as Record<string, unknown>;
  return {
    name,
    agent: given.agent ?? {},
    vars: given.vars ?? {},
    scenarios: given.scenarios,
    golden: new Map(Object.entries(golden)),
  };
}

/** The step's id within its area. @param at its place in the scenario, from 0. */
export function stepId(scenario: Scenario, step: Step, at: number): string {
  const asked = step.http ?? (step.dns === undefined ? `$ ${step.cli ?? ""}` : `DNS ${step.dns}`);
  return `${scenario.name} / ${at + 1}. ${asked}`;
}

/** The words of a command line: plain ones, and quoted ones, in double quotes with escapes. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [, double, single, plain] of line.matchAll(/"((?:\\.|[^"\\])*)"|'([^']*)'|(\S+)/g))
    words.push(double?.replaceAll(/\\(.)/g, "$1") ?? single ?? (plain as string));
  return words;
}
