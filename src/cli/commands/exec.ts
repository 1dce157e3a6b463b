// `exec`: runs a command on many nodes. The job is a key of a session, an event tells the agents of it, and what they do
// comes back as keys; agents take part only where remote execution is allowed
// (https://developer.hashicorp.com/consul/commands/exec).
import type { Client } from "../../client/client.ts";
import { holdSession } from "../../client/held-session.ts";
import { text } from "../../util/bytes.ts";
import { nsPerMs } from "../../util/duration.ts";
import { stringifyJson } from "../../util/json.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError, UsageError } from "../command.ts";
import { errorText } from "../error-text.ts";

const SESSION_TTL_MS = 15_000;
const SOME_FAILED = 2;
const eventName = "_rexec";

export const exec: Command = {
  name: "exec",
  synopsis: "Runs a command on many nodes",
  operands: "[options] [-|COMMAND...]",
  help: `Runs a command on every node that fits and whose agent allows it; agents
refuse unless disable_remote_exec is set to false. "-" reads a script from
standard input. The exit code is 2 when the command failed on a node.`,
  flags: [
    { name: "node", type: "string", placeholder: "regexp", usage: "Only nodes whose name matches." },
    { name: "prefix", type: "string", usage: "Where in the store the job is kept. The default is _rexec." },
    { name: "service", type: "string", placeholder: "regexp", usage: "Only nodes with a service that matches." },
    { name: "shell", type: "bool", usage: "Run the command by the shell. The default is true." },
    {
      name: "tag",
      type: "string",
      placeholder: "regexp",
      usage: "Only nodes where that service has a tag that matches; needs -service.",
    },
    { name: "verbose", type: "bool", usage: "Say what happens." },
    {
      name: "wait",
      type: "duration",
      placeholder: "duration",
      usage: "End when nothing has been heard for this long. The default is 2s.",
    },
    {
      name: "wait-repl",
      type: "duration",
      placeholder: "duration",
      usage: "Time for the job to reach all servers before the event is fired. The default is 200ms.",
    },
  ],
  http: true,
  passthrough: true,
  async run(call) {
    const { args, flags, io } = call;
    if (args.length === 0) throw new UsageError("Must specify a command to execute");
    if (flags.string("tag") !== "" && flags.string("service") === "")
      throw new CliError("Cannot provide tag filter without service filter.");
    const spec = await jobSpec(call);
    const client = await call.client();
    const { Config } = (await client.agent.self()).value;
    const node = await sessionNode(call, client, Config.Datacenter);
    return call.interruptible(async (signal) => {
      const session = await holdSession(
        client.session,
        { Name: "Remote Exec", Behavior: "delete", ...(node === null ? {} : { Node: node }) },
        SESSION_TTL_MS,
        { sleep: (ms, aborted) => io.sleep(ms, aborted), now: () => io.now() },
      );
      const dir = `${flags.string("prefix", eventName).replace(/\/+$/, "")}/${session.id}/`;
      try {
        await upload(client, `${dir}job`, spec, session.id);
        say(call, "Uploaded remote execution spec");
        await io.sleep(flags.number("wait-repl", 200 * nsPerMs) / nsPerMs, signal);
        await fire(call, client, session.id);
        return await new Job(call, client, dir).wait(AbortSignal.any([signal, session.lost]));
      } finally {
        await session.end();
        await client.kv.deleteTree(dir);
      }
    });
  },
};

/** The job as agents read it: bytes are base64, durations nanoseconds. */
async function jobSpec(call: Invocation): Promise<string> {
  const { args, flags, io } = call;
  const Wait = flags.number("wait", 2000 * nsPerMs);
  if (args.length === 1 && args[0] === "-") return stringifyJson({ Script: await io.stdin(), Wait });
  return stringifyJson(flags.bool("shell", true) ? { Command: args.join(" "), Wait } : { Args: args, Wait });
}

/** A session of another datacenter must be bound to a node there; null in the agent's own. */
async function sessionNode(call: Invocation, client: Client, own: string): Promise<string | null> {
  const wanted = call.flags.string("datacenter");
  if (wanted === "" || wanted === own) return null;
  const servers = (await client.health.service("consul", { passing: true })).value;
  const node = servers[0]?.Node.Node;
  if (node === undefined) throw new CliError(`Failed to find Consul server in remote datacenter ${wanted}`);
  return node;
}

async function upload(client: Client, key: string, spec: string, session: string): Promise<void> {
  const taken = await client.kv.put(key, spec, { acquire: session }).catch((error: unknown) => {
    throw new CliError(`Failed to create job file: ${errorText(error)}`, { cause: error });
  });
  if (!taken) throw new CliError("Failed to create job file: the key could not be acquired");
}

async function fire(call: Invocation, client: Client, session: string): Promise<void> {
  const { flags } = call;
  const payload = stringifyJson({ Prefix: flags.string("prefix", eventName), Session: session });
  const filters = { node: flags.string("node"), service: flags.string("service"), tag: flags.string("tag") };
  const options = Object.fromEntries(Object.entries(filters).filter(([, pattern]) => pattern !== ""));
  try {
    const { ID } = await client.event.fire(eventName, payload, options);
    say(call, `Fired remote execution event: ${ID}`);
  } catch (error) {
    throw new CliError(`Failed to fire event: ${errorText(error)}`, { cause: error });
  }
}

function say(call: Invocation, line: string): void {
  if (call.flags.bool("verbose")) call.print(line);
}

/** Reads what the nodes report, until they have been quiet for long enough. */
class Job {
  readonly #call: Invocation;
  readonly #client: Client;
  readonly #dir: string;
  readonly #seen = new Set<string>();
  #acknowledged = 0;
  #completed = 0;
  #failed = 0;

  constructor(call: Invocation, client: Client, dir: string) {
    this.#call = call;
    this.#client = client;
    this.#dir = dir;
  }

  /** The exit code. */
  async wait(signal: AbortSignal): Promise<number> {
    const { io, flags } = this.#call;
    const quietMs = flags.number("wait", 2000 * nsPerMs) / nsPerMs;
    let index: number | bigint | undefined;
    for (;;) {
      // Nodes that have begun and not ended may be silent for longer.
      const waitMs = this.#acknowledged > this.#completed ? 2 * quietMs : quietMs;
      const quiet = new AbortController();
      const reading = AbortSignal.any([signal, quiet.signal]);
      const keys = this.#client.kv.keys(this.#dir, { index, signal: reading });
      const heard = await Promise.race([keys, io.sleep(waitMs, signal).then(() => null)]);
      if (heard === null || signal.aborted) {
        quiet.abort();
        await keys.catch(() => {});
        break;
      }
      index = heard.index;
      for (const key of heard.value) await this.#report(key);
    }
    this.#call.print(`${this.#completed} / ${this.#acknowledged} node(s) completed / acknowledged`);
    if (signal.aborted) this.#call.warn("Stopped before all nodes were done");
    return this.#failed > 0 || this.#completed < this.#acknowledged ? SOME_FAILED : 0;
  }

  async #report(key: string): Promise<void> {
    const [node, kind] = key.slice(this.#dir.length).split("/");
    if (node === undefined || kind === undefined || this.#seen.has(key)) return;
    this.#seen.add(key);
    if (kind === "ack") {
      this.#acknowledged += 1;
      say(this.#call, `    ${node}: acknowledged event`);
    } else if (kind === "out") {
      const written = text(await this.#value(key));
      // An empty piece is a sign of life.
      if (written === "") say(this.#call, `    ${node}: heartbeat received`);
      else for (const line of written.replace(/\n$/, "").split("\n")) this.#call.print(`    ${node}: ${line}`);
    } else if (kind === "exit") {
      const code = Number(text(await this.#value(key)));
      this.#completed += 1;
      if (code !== 0) this.#failed += 1;
      this.#call.print(`==> ${node}: finished with exit code ${code}`);
    }
  }

  async #value(key: string): Promise<Uint8Array> {
    return (await this.#client.kv.get(key)).value?.Value ?? new Uint8Array(0);
  }
}
