// `watch`: shows what a query gives, or runs a program each time that changes
// (https://developer.hashicorp.com/consul/docs/dynamic-app-config/watches).
import type { Client } from "../../client/client.ts";
import type { Watched } from "../../client/watch.ts";
import { watch as watchChanges } from "../../client/watch.ts";
import type { CheckStatus, KeyValue } from "../../client/types.ts";
import type { FlagValues } from "../../config/flags.ts";
import { parseBool } from "../../config/flags.ts";
import type { Uint64 } from "../../types/records.ts";
import { utf8 } from "../../util/bytes.ts";
import { stringifyJson } from "../../util/json.ts";
import { childEnv, commandLine } from "../child.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError, UsageError } from "../command.ts";
import { errorText } from "../error-text.ts";

export const watch: Command = {
  name: "watch",
  synopsis: "Watches for changes",
  operands: "[options] [COMMAND ...]",
  help: `Prints the result of a query as JSON. With COMMAND, runs it now and
whenever the result changes: it gets the JSON on standard input and the
index as CONSUL_INDEX. A command that fails ends the watch.

    $ proconsul watch -type=service -service=web ./reload.sh

Types and what they need: key (-key), keyprefix (-prefix), services, nodes,
service (-service), checks (-service or -state), event (-name),
connect_roots, connect_leaf (-service), agent_service (-service, an id).`,
  flags: [
    { name: "filter", type: "string", placeholder: "expression", usage: "Only entries that fulfil this expression." },
    { name: "key", type: "string", usage: "Key to watch." },
    { name: "name", type: "string", usage: "Name of the event to watch for." },
    {
      name: "passingonly",
      type: "string",
      placeholder: "bool",
      usage: "true: only instances whose checks all pass.",
    },
    { name: "prefix", type: "string", usage: "Prefix of the keys to watch." },
    { name: "service", type: "string", usage: "Service to watch." },
    { name: "shell", type: "bool", usage: "Run the command by the shell. The default is true." },
    { name: "state", type: "string", usage: "State of the checks to watch: passing, warning, critical or any." },
    {
      name: "tag",
      type: "strings",
      usage: "Only instances with this tag. May be given repeatedly: all must be there.",
    },
    { name: "type", type: "string", usage: "What to watch; needed." },
  ],
  http: true,
  passthrough: true,
  async run(call) {
    const client = await call.client();
    const read = watched(call, client);
    // An agent that is not there is told now, and not retried.
    await client.agent.self();
    return call.interruptible((signal) => follow(call, read, signal));
  },
};

async function follow(call: Invocation, read: Watched<unknown>, interrupted: AbortSignal): Promise<number> {
  const { io, args, flags } = call;
  const once = args.length === 0;
  const type = flags.string("type");
  const changes = watchChanges(read, {
    signal: interrupted,
    sleep: (ms, signal) => io.sleep(ms, signal),
    onError: (error, retryMs) =>
      call.warn(`consul.watch: Watch (type: ${type}) errored: ${errorText(error)}, retry in ${retryMs / 1000}s`),
  });
  for await (const { value, index } of changes) {
    if (once) {
      call.print(stringifyJson(value, true));
      return 0;
    }
    if (!(await handle(call, value, index, interrupted))) return 1;
  }
  return 0;
}

/** True when the command ended well. */
async function handle(call: Invocation, value: unknown, index: Uint64, interrupted: AbortSignal): Promise<boolean> {
  const { io, args, flags } = call;
  const child = io.spawn(commandLine(io, args, flags.bool("shell", true)), {
    env: childEnv(io, { CONSUL_INDEX: String(index) }),
    stdin: utf8(`${stringifyJson(value)}\n`),
  });
  const stop = (): void => child.kill("SIGTERM");
  interrupted.addEventListener("abort", stop);
  try {
    const { code, signal } = await child.exit;
    if (code === 0 || interrupted.aborted) return true;
    call.warn(`Error executing handler: ${signal === null ? `exit status ${code}` : `signal: ${signal}`}`);
  } catch (error) {
    call.warn(`Error executing handler: ${(error as Error).message}`);
  } finally {
    interrupted.removeEventListener("abort", stop);
  }
  return false;
}

/** The query that the flags describe. @throws UsageError when they do not. */
function watched(call: Invocation, client: Client): Watched<unknown> {
  const { flags } = call;
  const type = flags.string("type");
  const filter = flags.string("filter") || undefined;
  const own = { ...call.reads, filter };
  const service = (): string => needed(flags, "service", "service");
  switch (type) {
    case "":
      throw new UsageError("Watch type must be specified");
    case "key": {
      const key = needed(flags, "key", "key");
      return async (options) => {
        const read = await client.kv.get(key, { ...call.reads, ...options });
        return { ...read, value: read.value === null ? null : entryOf(read.value) };
      };
    }
    case "keyprefix": {
      const prefix = needed(flags, "prefix", "prefix");
      return async (options) => {
        const read = await client.kv.list(prefix, { ...call.reads, ...options });
        return { ...read, value: read.value.map(entryOf) };
      };
    }
    case "services":
      return (options) => client.catalog.services({ ...own, ...options });
    case "nodes":
      return (options) => client.catalog.nodes({ ...own, ...options });
    case "service": {
      const name = service();
      const passing = passingOnly(flags);
      const tag = flags.strings("tag");
      return (options) => client.health.service(name, { ...own, ...options, passing, tag });
    }
    case "checks":
      return checks(flags, client, own);
    case "event": {
      const name = flags.string("name") || undefined;
      return (options) => client.event.list({ ...options, name });
    }
    case "connect_roots":
      return (options) => client.transport.read("agent/connect/ca/roots", options);
    case "connect_leaf": {
      const name = encodeURIComponent(service());
      return (options) => client.transport.read(`agent/connect/ca/leaf/${name}`, options);
    }
    case "agent_service": {
      const id = service();
      return (options) => client.agent.service(id, options);
    }
    default:
      throw new UsageError(`Unsupported watch type: ${type}`);
  }
}

function checks(flags: FlagValues, client: Client, own: { filter: string | undefined }): Watched<unknown> {
  const service = flags.string("service");
  const state = flags.string("state");
  if (service !== "" && state !== "") throw new UsageError("Cannot specify service and state");
  if (service !== "") return (options) => client.health.checks(service, { ...own, ...options });
  return (options) => client.health.state((state || "any") as CheckStatus | "any", { ...own, ...options });
}

function needed(flags: FlagValues, name: string, what: string): string {
  const value = flags.string(name);
  if (value === "") throw new UsageError(`Must specify a single ${what} to watch`);
  return value;
}

function passingOnly(flags: FlagValues): boolean {
  const given = flags.string("passingonly");
  if (given === "") return false;
  const passing = parseBool(given);
  if (passing === null) throw new CliError(`Failed to parse -passingonly flag: "${given}" is no boolean`);
  return passing;
}

/** An entry in the form that watches have always had: fields in this order, `Session` always there. */
function entryOf(entry: KeyValue): Record<string, unknown> {
  const { Key, CreateIndex, ModifyIndex, LockIndex, Flags, Value, Session = "" } = entry;
  return { Key, CreateIndex, ModifyIndex, LockIndex, Flags, Value, Session };
}
