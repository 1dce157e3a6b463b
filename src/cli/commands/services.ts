// `services`: registers and deregisters at the local agent what files or flags describe.
import type { ServiceRegistration } from "../../client/types.ts";
import { configFormat } from "../../config/merge.ts";
import { parseHcl } from "../../config/hcl.ts";
import { parseJson } from "../../config/json.ts";
import type { RawObject } from "../../config/raw-value.ts";
import { isRawObject } from "../../config/raw-value.ts";
import { decodeServiceDefinition } from "../../config/service-definition.ts";
import { settingsOf } from "../../config/settings.ts";
import { text } from "../../util/bytes.ts";
import { quote } from "../../util/quote.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError, UsageError } from "../command.ts";
import { errorText } from "../error-text.ts";

const register: Command = {
  name: "services register",
  synopsis: "Registers services at the agent",
  operands: "[options] [FILE ...]",
  help: `Registers the services that files describe, as "service" or "services" in
the agent's own configuration, or the one that flags describe. "-" reads
standard input. They last until they are deregistered.

    $ proconsul services register web.json
    $ proconsul services register -name=web -port=8080`,
  flags: [
    { name: "address", type: "string", usage: "Where the service is, if not at the node's address." },
    { name: "id", type: "string", usage: "Id of the instance. Without it, the name." },
    { name: "kind", type: "string", usage: "Kind of the service, for proxies and gateways." },
    { name: "meta", type: "string-map", placeholder: "key=value", usage: "Metadata. May be given repeatedly." },
    { name: "name", type: "string", usage: "Name of the service." },
    { name: "port", type: "int", placeholder: "int", usage: "Port of the service." },
    { name: "socket", type: "string", placeholder: "path", usage: "Unix socket of the service, instead of a port." },
    { name: "tag", type: "strings", usage: "A tag. May be given repeatedly." },
    {
      name: "tagged-address",
      type: "string-map",
      placeholder: "name=address:port",
      usage: "An address by its name, such as wan=203.0.113.9:80. May be given repeatedly.",
    },
  ],
  http: true,
  async run(call) {
    const services = call.args.length > 0 ? await servicesOf(call) : [fromFlags(call)];
    const { agent } = await call.client();
    for (const service of services) {
      const name = field(service, "name");
      try {
        await agent.registerService(service as ServiceRegistration);
      } catch (error) {
        throw new CliError(`Error registering service ${quote(name)}: ${errorText(error)}`, { cause: error });
      }
      call.print(`Registered service: ${name}`);
    }
    return 0;
  },
};

const deregister: Command = {
  name: "services deregister",
  synopsis: "Deregisters services from the agent",
  operands: "[options] [FILE ...]",
  help: `Deregisters the services that files describe, or the one with an id.

    $ proconsul services deregister -id=web-1`,
  flags: [{ name: "id", type: "string", usage: "Id of the instance to deregister." }],
  http: true,
  async run(call) {
    const id = call.flags.string("id");
    if (id === "" && call.args.length === 0)
      throw new UsageError("Service deregistration requires at least one argument or -id.");
    if (id !== "" && call.args.length > 0)
      throw new UsageError("Service deregistration requires arguments or -id, not both.");
    const ids = id === "" ? (await servicesOf(call)).map(idOf) : [id];
    const { agent } = await call.client();
    for (const each of ids) {
      try {
        await agent.deregisterService(each);
      } catch (error) {
        throw new CliError(`Error deregistering service ${quote(each)}: ${errorText(error)}`, { cause: error });
      }
      call.print(`Deregistered service: ${each}`);
    }
    return 0;
  },
};

/** The services of all files, in order; all are judged before any is sent. */
async function servicesOf(call: Invocation): Promise<RawObject[]> {
  const services: RawObject[] = [];
  if (call.args.length > 0 && call.flags.has("name"))
    throw new UsageError("Service registration requires arguments or -name, not both.");
  for (const path of call.args) {
    const source = text(await call.readFile(path));
    const found = fileServices(path, source);
    if (found.length === 0) throw new CliError(`Error: ${path} has no service definition`);
    services.push(...found);
  }
  return services;
}

function fileServices(path: string, source: string): RawObject[] {
  const failed = (why: string, cause?: unknown): CliError =>
    new CliError(`Error: failed to parse ${path}: ${why}`, { cause });
  try {
    const document = configFormat(path) === "json" ? parseJson(source) : parseHcl(source);
    const result = settingsOf(document);
    if ("errors" in result) throw failed(result.errors.join("\n"));
    const { settings } = result;
    const single = settings.get("service") as RawObject | undefined;
    const services = [...((settings.get("services") ?? []) as RawObject[]), ...(single === undefined ? [] : [single])];
    for (const service of services) decodeServiceDefinition(service, { source: "file" });
    return services.map(withLists);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw failed((error as Error).message, error);
  }
}

/** HCL's single blocks of what is a list: other servers may not read one block as a list of one. */
function withLists(service: RawObject): RawObject {
  const copy: RawObject = Object.create(null) as RawObject;
  for (const [key, value] of Object.entries(service)) {
    const isList = /^(checks|ports)$/i.test(key);
    copy[key] = isList && isRawObject(value) ? [value] : value;
  }
  return copy;
}

function fromFlags(call: Invocation): RawObject | ServiceRegistration {
  const { flags } = call;
  if (!flags.has("name") || flags.string("name") === "")
    throw new UsageError("Service registration requires at least one argument or -name.");
  const addresses = Array.from(flags.map("tagged-address")).map(([name, value]) => [name, taggedAddress(value)]);
  const meta = Array.from(flags.map("meta"));
  const tags = [...flags.strings("tag")];
  return {
    Name: flags.string("name"),
    ...(flags.string("id") === "" ? {} : { ID: flags.string("id") }),
    ...(flags.string("kind") === "" ? {} : { Kind: flags.string("kind") }),
    ...(flags.string("address") === "" ? {} : { Address: flags.string("address") }),
    ...(flags.has("port") ? { Port: flags.number("port") } : {}),
    ...(flags.string("socket") === "" ? {} : { SocketPath: flags.string("socket") }),
    ...(tags.length === 0 ? {} : { Tags: tags }),
    ...(meta.length === 0 ? {} : { Meta: Object.fromEntries(meta) }),
    ...(addresses.length === 0 ? {} : { TaggedAddresses: Object.fromEntries(addresses) }),
  };
}

function taggedAddress(value: string): { Address: string; Port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(value) ?? [];
  const address = bracketed ?? plain ?? value;
  return { Address: address, Port: port === undefined ? 0 : Number(port) };
}

function idOf(service: RawObject): string {
  return field(service, "id") || field(service, "name");
}

/** A field whatever the case of its name. */
function field(service: RawObject | ServiceRegistration, name: string): string {
  for (const [key, value] of Object.entries(service))
    if (key.toLowerCase() === name && typeof value === "string") return value;
  return "";
}

export const services: readonly Command[] = [register, deregister];
