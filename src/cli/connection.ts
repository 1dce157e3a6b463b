// How the commands find their agent: flags first, then the environment, then http://127.0.0.1:8500, with the names of
// https://developer.hashicorp.com/consul/commands#environment-variables
import type { Client } from "../client/client.ts";
import { createClient } from "../client/client.ts";
import type { FlagSpec, FlagValues } from "../config/flags.ts";
import { parseBool } from "../config/flags.ts";
import { encodeBase64 } from "../util/base64.ts";
import { text, utf8 } from "../util/bytes.ts";
import { CliError } from "./cli-error.ts";
import type { CliIo, Fetch, TransportOptions } from "./io.ts";

const group = "HTTP API Options";

/** The flags of every command that talks to an agent. */
export const connectionFlags: readonly FlagSpec[] = [
  {
    name: "http-addr",
    type: "string",
    placeholder: "address",
    group,
    usage:
      "Address and port of the agent: an IP address or a DNS name, with http:// or https:// before it if need be, or unix:// and the path of a socket. Also CONSUL_HTTP_ADDR. The default is http://127.0.0.1:8500.",
  },
  {
    name: "token",
    type: "string",
    group,
    usage: "ACL token of the requests. Also CONSUL_HTTP_TOKEN. Without one the agent's own token counts.",
  },
  {
    name: "token-file",
    type: "string",
    placeholder: "path",
    group,
    usage: "File that holds the ACL token. Also CONSUL_HTTP_TOKEN_FILE.",
  },
  {
    name: "ca-file",
    type: "string",
    placeholder: "path",
    group,
    usage: "Certificates of authorities to trust, PEM. Also CONSUL_CACERT.",
  },
  {
    name: "ca-path",
    type: "string",
    placeholder: "path",
    group,
    usage: "Directory of such certificates. Also CONSUL_CAPATH.",
  },
  {
    name: "client-cert",
    type: "string",
    placeholder: "path",
    group,
    usage: "Certificate to show to an agent that asks for one, PEM; needs -client-key. Also CONSUL_CLIENT_CERT.",
  },
  {
    name: "client-key",
    type: "string",
    placeholder: "path",
    group,
    usage: "Private key of -client-cert. Also CONSUL_CLIENT_KEY.",
  },
  {
    name: "tls-server-name",
    type: "string",
    placeholder: "name",
    group,
    usage: "Name that the agent's certificate must be for. Also CONSUL_TLS_SERVER_NAME.",
  },
  {
    name: "datacenter",
    type: "string",
    placeholder: "name",
    group,
    usage: "Datacenter to ask. Without it, the agent's own.",
  },
  {
    name: "namespace",
    type: "string",
    placeholder: "name",
    group,
    usage: 'Kept for compatibility: there is one, "default". Also CONSUL_NAMESPACE.',
  },
  {
    name: "partition",
    type: "string",
    placeholder: "name",
    group,
    usage: 'Kept for compatibility: there is one, "default". Also CONSUL_PARTITION.',
  },
  {
    name: "stale",
    type: "bool",
    group,
    usage: "Let any server answer, not only the leader. Faster and possible without a leader, but maybe old.",
  },
];

/** Where an agent is. */
export interface Connection {
  address: string;
  token: string | undefined;
  datacenter: string | undefined;
  headers: Record<string, string>;
  /** What plain `fetch` cannot do; null when it can. */
  transport: TransportOptions | null;
}

/** @throws CliError when an address, a file or a variable makes no sense, or this runtime lacks what they need. */
export async function connect(io: CliIo, flags: FlagValues): Promise<Client> {
  const connection = await resolveConnection(io, flags);
  let fetch: Fetch = io.fetch;
  if (connection.transport !== null) {
    const what = connection.transport.unixSocket === undefined ? "Own certificates" : "Unix sockets";
    if (io.transport === undefined) throw new CliError(`${what} are unsupported: this runtime cannot connect so`);
    fetch = await io.transport(connection.transport);
  }
  return createClient({ ...connection, fetch });
}

/** @throws CliError as `connect` does. */
async function resolveConnection(io: CliIo, flags: FlagValues): Promise<Connection> {
  const { env } = io;
  refuseTenancy("namespace", flags.string("namespace") || env.CONSUL_NAMESPACE);
  refuseTenancy("partition", flags.string("partition") || env.CONSUL_PARTITION);
  const given = flags.string("http-addr") || env.CONSUL_HTTP_ADDR || "127.0.0.1:8500";
  const ssl = envBool(env, "CONSUL_HTTP_SSL") ?? false;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(given)?.[1]?.toLowerCase() ?? (ssl ? "https" : "http");
  const rest = given.replace(/^[^:/]*:\/\//, "");
  if (scheme !== "http" && scheme !== "https" && scheme !== "unix")
    throw new CliError(`Error connecting to Consul agent: Unknown protocol scheme: ${scheme}`);
  const transport: TransportOptions = {};
  if (scheme === "unix") transport.unixSocket = rest;
  if (scheme === "https") await readTls(io, flags, transport);
  const headers: Record<string, string> = {};
  const auth = env.CONSUL_HTTP_AUTH;
  if (auth) headers.Authorization = `Basic ${encodeBase64(utf8(auth.includes(":") ? auth : `${auth}:`))}`;
  const address = scheme === "unix" ? "http://localhost" : `${scheme}://${rest}`;
  if (!URL.canParse(address)) throw new CliError(`Error connecting to Consul agent: bad address "${given}"`);
  return {
    address,
    token: await resolveToken(io, flags),
    datacenter: flags.string("datacenter") || undefined,
    headers,
    transport: Object.keys(transport).length === 0 ? null : transport,
  };
}

/** Asking for another namespace and getting the only one would be worse than an error. */
function refuseTenancy(what: string, name: string | undefined): void {
  if (name && name !== "default")
    throw new CliError(
      `Error connecting to Consul agent: there is no ${what} "${name}": this build has only "default"`,
    );
}

/** A flag beats the environment, and at each level a file beats a bare token. */
async function resolveToken(io: CliIo, flags: FlagValues): Promise<string | undefined> {
  const flagFile = flags.string("token-file");
  const flagToken = flags.string("token");
  const file = flagFile || (flagToken === "" ? io.env.CONSUL_HTTP_TOKEN_FILE : undefined);
  if (file) return (await readText(io, file, "token file")).trim() || undefined;
  return flagToken || io.env.CONSUL_HTTP_TOKEN || undefined;
}

async function readTls(io: CliIo, flags: FlagValues, into: TransportOptions): Promise<void> {
  const { env } = io;
  const caFile = flags.string("ca-file") || env.CONSUL_CACERT;
  const caPath = flags.string("ca-path") || env.CONSUL_CAPATH;
  const cert = flags.string("client-cert") || env.CONSUL_CLIENT_CERT;
  const key = flags.string("client-key") || env.CONSUL_CLIENT_KEY;
  const serverName = flags.string("tls-server-name") || env.CONSUL_TLS_SERVER_NAME;
  if (caFile) into.ca = await readText(io, caFile, "CA file");
  else if (caPath) {
    const names = await io.listDir(caPath).catch((error: Error) => {
      throw new CliError(`Error reading CA directory: ${error.message}`);
    });
    const texts: string[] = [];
    for (const name of names) texts.push(await readText(io, `${caPath}/${name}`, "CA file"));
    into.ca = texts.join("\n");
  }
  if (Boolean(cert) !== Boolean(key)) throw new CliError("Both client cert and client key must be provided");
  if (cert && key) {
    into.cert = await readText(io, cert, "client certificate");
    into.key = await readText(io, key, "client key");
  }
  if (serverName) into.serverName = serverName;
  if (envBool(env, "CONSUL_HTTP_SSL_VERIFY") === false) into.insecure = true;
}

async function readText(io: CliIo, path: string, what: string): Promise<string> {
  try {
    return text(await io.readFile(path));
  } catch (error) {
    throw new CliError(`Error reading ${what}: ${(error as Error).message}`, { cause: error });
  }
}

function envBool(env: CliIo["env"], name: string): boolean | null {
  const value = env[name];
  if (value === undefined || value === "") return null;
  const parsed = parseBool(value);
  if (parsed === null) throw new CliError(`Could not parse ${name}: "${value}" is no boolean`);
  return parsed;
}
