// One instance of a service, as a caller needs it: where it is and what is said of it.
import type { ServiceEntry, UserMap } from "./types.ts";

/** Where one instance is, and what is said of it. */
export interface Instance {
  /** Node and service id: what no other instance has. */
  readonly key: string;
  readonly id: string;
  readonly node: string;
  readonly address: string;
  readonly port: number;
  /** Scheme, address and port: "http://10.0.0.1:8080". */
  readonly url: string;
  readonly tags: readonly string[];
  readonly meta: Readonly<UserMap>;
  /** "" when it says none. */
  readonly zone: string;
  /** How much of the load it should get, against the others: Consul's weight for its health. */
  readonly weight: number;
  /** All that the API says. */
  readonly entry: ServiceEntry;
}

/** How an address is made of an entry. */
export interface InstanceOptions {
  /** "http" when neither this nor the service's metadata `scheme` says otherwise; "https" for port 443. */
  scheme?: "http" | "https";
  /** Use this of the tagged addresses where an instance has it, such as "wan". */
  addressTag?: string;
  /** The metadata that name the zone: "zone". */
  zoneMeta?: string;
}

/** What the API's entry means. */
export function instanceOf(entry: ServiceEntry, options: InstanceOptions): Instance {
  const { Node, Service, Checks } = entry;
  const { addressTag = "", zoneMeta = "zone" } = options;
  const tagged = Service.TaggedAddresses?.[addressTag];
  const address = tagged?.Address || Service.Address || Node.TaggedAddresses?.[addressTag] || Node.Address;
  const port = tagged?.Port || Service.Port;
  const meta = Service.Meta ?? {};
  const scheme = options.scheme ?? (meta.scheme || (port === 443 ? "https" : "http"));
  const host = address.includes(":") && !address.startsWith("[") ? `[${address}]` : address;
  const { Passing = 1, Warning = 1 } = Service.Weights ?? {};
  const { Locality } = Service as { Locality?: { Zone?: string } | null };
  return {
    key: `${Node.Node}/${Service.ID}`,
    id: Service.ID,
    node: Node.Node,
    address,
    port,
    url: `${scheme}://${host}${port === 0 ? "" : `:${port}`}`,
    tags: Service.Tags ?? [],
    meta,
    zone: Locality?.Zone || meta[zoneMeta] || Node.Meta?.[zoneMeta] || "",
    weight: Math.max(0.01, Checks.every(({ Status }) => Status === "passing") ? Passing : Warning),
    entry,
  };
}
