// Which addresses an agent listens on and which it tells others, from the address settings, their templates and the
// machine's interfaces. https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/address
import { formatIp, type IpAddress, isUnspecified, joinHostPort, parseIp } from "../util/ip-address.ts";
import { quote } from "../util/quote.ts";
import type { UserMap } from "../types/records.ts";
import { AddressTemplateError, expandTemplate } from "./address-template.ts";
import type { AgentConfig, ListenAddress } from "./config-types.ts";
import { type InterfaceAddress, privateIpv4, publicIpv6 } from "./network-interface.ts";
import type { SettingReader } from "./setting-reader.ts";

export type AgentAddresses = Pick<
  AgentConfig,
  | "bindAddress"
  | "advertiseAddress"
  | "advertiseAddressWan"
  | "taggedAddresses"
  | "clientAddresses"
  | "addresses"
  | "recursors"
> & { serfLanBind: string; serfWanBind: string };

/** An expanded address: an IP, or the path of a Unix socket. */
type Expanded = { ip: IpAddress } | { unix: string };

const unixPrefix = "unix://";
const anyAddress = "0.0.0.0, :: or [::]";

/** Resolves all addresses; what is wrong goes to the reader's errors, with Consul's texts. */
export class AddressResolver {
  readonly #reader: SettingReader;
  readonly #interfaces: readonly InterfaceAddress[] | null;

  constructor(reader: SettingReader, interfaces: readonly InterfaceAddress[] | null) {
    this.#reader = reader;
    this.#interfaces = interfaces;
  }

  resolve(ports: AgentConfig["ports"], warnings: string[]): AgentAddresses {
    const bind = this.#bindAddress();
    const lan = this.#advertised(bind);
    const ownWan = this.#firstIp("advertise_addr_wan");
    const wan = ownWan ?? lan;
    if (ownWan !== null && isUnspecified(ownWan)) this.#fault(`Advertise WAN address cannot be ${anyAddress}`);
    const clients = this.#clients();
    if (clients.length === 0) {
      warnings.push(
        "client_addr is empty, client services (DNS, HTTP, HTTPS, GRPC) will not be listening for connections",
      );
    }
    const addresses = {
      dns: this.#listen("dns", clients, ports.dns),
      http: this.#listen("http", clients, ports.http),
      https: this.#listen("https", clients, ports.https),
      grpc: this.#listen("grpc", clients, ports.grpc),
      grpcTls: this.#listen("grpc_tls", clients, ports.grpcTls),
    };
    if (addresses.dns.some(({ type }) => type === "unix")) this.#fault("DNS address cannot be a unix socket");
    this.#refuseDuplicates(addresses, formatIp(lan), formatIp(wan), ports);
    return {
      bindAddress: formatIp(bind),
      advertiseAddress: formatIp(lan),
      advertiseAddressWan: formatIp(wan),
      taggedAddresses: this.#taggedAddresses(lan, wan),
      clientAddresses: clients.map(formatIp),
      addresses,
      recursors: this.#recursors(),
      serfLanBind: formatIp(this.#firstIp("serf_lan") ?? bind),
      serfWanBind: formatIp(this.#firstIp("serf_wan") ?? bind),
    };
  }

  /** The addresses of a join list, templates expanded. */
  expandList(path: string): string[] {
    return this.#reader.strings(path).flatMap((text) => {
      if (!text.includes("{{")) return text === "" ? [] : [text];
      return words(this.#template(path, text));
    });
  }

  #fault(message: string): void {
    this.#reader.errors.push(message);
  }

  #template(path: string, text: string): string {
    if (!text.includes("{{")) return text;
    try {
      if (this.#interfaces === null && !/\{\{-?\s*printf\b/.test(text)) {
        throw new AddressTemplateError("this runtime does not tell the machine's network interfaces");
      }
      return expandTemplate(text, this.#interfaces ?? []);
    } catch (error) {
      if (!(error instanceof AddressTemplateError)) throw error;
      this.#fault(`${path}: error parsing ${quote(text)}: ${error.message}`);
      return "";
    }
  }

  #expand(path: string): Expanded[] {
    const found: Expanded[] = [];
    for (const text of words(this.#template(path, this.#reader.string(path)))) {
      const ip = parseIp(text === "[::]" ? "::" : text);
      if (text.startsWith(unixPrefix)) found.push({ unix: text.slice(unixPrefix.length) });
      else if (ip !== null) found.push({ ip });
      else this.#fault(`${path}: invalid ip address: ${text}`);
    }
    return found;
  }

  /** The one IP address of a key; null when it is not set. */
  #firstIp(path: string): IpAddress | null {
    const found = this.#expand(path);
    const [first] = found;
    if (first === undefined) return null;
    if (found.length > 1) {
      const shown = found.map((each) => ("ip" in each ? formatIp(each.ip) : each.unix));
      this.#fault(`${path}: multiple addresses found: ${shown.join(" ")}`);
      return null;
    }
    if ("ip" in first) return first.ip;
    this.#fault(`${path} cannot be a unix socket`);
    return null;
  }

  #bindAddress(): IpAddress {
    const faults = this.#reader.errors.length;
    const found = this.#expand("bind_addr");
    const [first] = found;
    if (found.length > 1) {
      this.#fault("bind_addr cannot contain multiple addresses. Use 'addresses.{dns,http,https}' instead.");
    } else if (first !== undefined && "ip" in first) {
      return first.ip;
    } else if (first !== undefined) {
      this.#fault("bind_addr cannot be a unix socket");
    } else if (this.#reader.errors.length === faults) {
      this.#fault("bind_addr cannot be empty");
    }
    // Whatever it is now, it will not be used.
    return { family: 4, bytes: new Uint8Array([127, 0, 0, 1]) };
  }

  /** What other agents are told: `advertise_addr`, else what is bound to, else the machine's one private address. */
  #advertised(bind: IpAddress): IpAddress {
    const given = this.#firstIp("advertise_addr");
    if (given !== null && isUnspecified(given)) {
      this.#fault(`Advertise address cannot be ${anyAddress}`);
      return given;
    }
    const wanted = given ?? bind;
    if (!isUnspecified(wanted)) return wanted;
    const kind = wanted.family === 4 ? "private IPv4" : "public IPv6";
    if (this.#interfaces === null) {
      this.#fault(
        `Error detecting ${kind} address: this runtime does not tell the machine's network interfaces. ` +
          "Please configure one with 'bind' and/or 'advertise'.",
      );
      return wanted;
    }
    const candidates = wanted.family === 4 ? privateIpv4(this.#interfaces) : publicIpv6(this.#interfaces);
    if (candidates.length > 1) {
      this.#fault(`Multiple ${kind} addresses found. Please configure one with 'bind' and/or 'advertise'.`);
    }
    if (candidates.length === 0) this.#fault(`No ${kind} address found`);
    return parseIp(candidates[0] ?? "") ?? wanted;
  }

  #clients(): IpAddress[] {
    const found: IpAddress[] = [];
    for (const each of this.#expand("client_addr")) {
      if ("ip" in each) found.push(each.ip);
      else this.#fault("client_addr cannot be a unix socket");
    }
    return found;
  }

  #listen(name: string, clients: readonly IpAddress[], port: number): ListenAddress[] {
    const own = this.#expand(`addresses.${name}`);
    if (port <= 0) return [];
    const all: readonly Expanded[] = own.length > 0 ? own : clients.map((ip) => ({ ip }));
    return all.map((each) =>
      "ip" in each ? { type: "tcp", host: formatIp(each.ip), port } : { type: "unix", path: each.unix },
    );
  }

  #taggedAddresses(lan: IpAddress, wan: IpAddress): UserMap {
    const tagged = this.#reader.stringMap("tagged_addresses");
    for (const [name, main, key] of [
      ["lan", lan, "advertise_addr"],
      ["wan", wan, "advertise_addr_wan"],
    ] as const) {
      tagged[name] = formatIp(main);
      for (const family of [4, 6] as const) {
        const path = `${key}_ipv${family}`;
        const address = this.#firstIp(path) ?? (main.family === family ? main : null);
        if (address === null) continue;
        if (address.family !== family) this.#fault(`${path} must be an ipv${family} address`);
        tagged[`${name}_ipv${family}`] = formatIp(address);
      }
    }
    return tagged;
  }

  #recursors(): string[] {
    const found = new Set<string>();
    for (const text of this.#reader.strings("recursors")) {
      for (const address of words(this.#template("recursors", text))) {
        if (address.startsWith(unixPrefix)) this.#fault(`DNS Recursors cannot be unix sockets: ${address}`);
        if (["0.0.0.0", "::", "[::]"].includes(address)) this.#fault(`DNS recursor address cannot be ${anyAddress}`);
        found.add(address);
      }
    }
    return [...found];
  }

  /** No two services may have one address. */
  #refuseDuplicates(
    addresses: AgentAddresses["addresses"],
    lan: string,
    wan: string,
    ports: AgentConfig["ports"],
  ): void {
    const used = new Map<string, string>();
    const claim = (name: string, address: ListenAddress): void => {
      const shown = address.type === "unix" ? address.path : joinHostPort(address.host, address.port);
      const holder = used.get(`${address.type}:${shown}`);
      if (holder !== undefined) this.#fault(`${name} address ${shown} already configured for ${holder}`);
      else used.set(`${address.type}:${shown}`, name);
    };
    for (const address of addresses.dns) claim("DNS", address);
    for (const address of addresses.http) claim("HTTP", address);
    for (const address of addresses.https) claim("HTTPS", address);
    if (ports.server > 0) claim("RPC Advertise", { type: "tcp", host: lan, port: ports.server });
    if (ports.serfLan > 0) claim("Serf Advertise LAN", { type: "tcp", host: lan, port: ports.serfLan });
    if (ports.serfWan > 0) claim("Serf Advertise WAN", { type: "tcp", host: wan, port: ports.serfWan });
  }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
