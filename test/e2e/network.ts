// A small network of this machine's own: a network namespace for each server, joined by a bridge, which this process is on too
// and so reaches every server whatever is cut. A cut goes one way: the sender's neighbour table is made to name a hardware
// address that nobody has, so that frames leave and arrive nowhere, and nobody is told, as when a cable is pulled.
import { execFileSync } from "node:child_process";
import type { Place } from "./group.ts";

const NOBODY = "02:00:5e:00:00:ff";
const LOOPBACKS_MAX = 200;
const HOST = 254;

const made = new Set<Network>();
process.on("exit", () => {
  for (const network of made) network.remove();
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

let count = 0;

/** Why this machine has no such network; null when it does. */
export function whyNoNetwork(): string | null {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  try {
    Network.make(1).remove();
    return null;
  } catch (error) {
    return `network namespaces cannot be made: ${(error as Error).message.trim().split("\n").at(-1)}`;
  }
}

export class Network {
  readonly places: readonly Place[];
  readonly #bridge: string;
  readonly #prefix: string;
  readonly #subnet: string;

  /** @throws Error when the machine does not allow it. */
  static make(servers: number): Network {
    const network = new Network(servers);
    made.add(network);
    try {
      network.#build();
    } catch (error) {
      network.remove();
      throw error;
    }
    return network;
  }

  constructor(servers: number) {
    const number = count++;
    this.#prefix = `pc${process.pid}n${number}s`;
    this.#bridge = `pcb${process.pid}n${number}`.slice(0, 15);
    // The range for benchmarks of networks (RFC 2544): nobody is to be found there.
    this.#subnet = `198.${18 + (Math.floor(process.pid / LOOPBACKS_MAX) % 2)}.${(process.pid + number) % LOOPBACKS_MAX}`;
    this.places = Array.from({ length: servers }, (_, i) => ({
      address: this.#address(i),
      enter: ["ip", "netns", "exec", this.#name(i)],
    }));
  }

  /** Nothing gets from one server to another any more; the other way goes on. */
  cut(from: number, to: number): void {
    this.#neighbour(from, to, NOBODY);
  }

  /** Cuts a server off from all others, both ways. */
  isolate(server: number): void {
    for (let other = 0; other < this.places.length; other += 1) if (other !== server) this.part([server], [other]);
  }

  /** Nothing passes between these two sides. */
  part(these: readonly number[], those: readonly number[]): void {
    for (const a of these)
      for (const b of those) {
        this.cut(a, b);
        this.cut(b, a);
      }
  }

  /** Each server reaches only its neighbours in a ring: every one sees a majority, and no two see the same one. */
  ring(): void {
    const { length } = this.places;
    for (let a = 0; a < length; a += 1)
      for (let b = 0; b < length; b += 1) {
        const apart = Math.min((a - b + length) % length, (b - a + length) % length);
        if (apart > length / 4) this.cut(a, b);
      }
  }

  heal(): void {
    this.#pairs((a, b) => this.#neighbour(a, b, mac(b)));
  }

  remove(): void {
    made.delete(this);
    for (let i = 0; i < this.places.length; i += 1) quietly("netns", "del", this.#name(i));
    quietly("link", "del", this.#bridge);
  }

  #build(): void {
    ip("link", "add", this.#bridge, "type", "bridge");
    ip("addr", "add", `${this.#subnet}.${HOST}/24`, "dev", this.#bridge);
    ip("link", "set", this.#bridge, "up");
    for (let i = 0; i < this.places.length; i += 1) {
      const name = this.#name(i);
      const outer = `${name}v`.slice(0, 15);
      ip("netns", "add", name);
      ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name);
      ip("link", "set", outer, "master", this.#bridge, "up");
      ip("-n", name, "link", "set", "eth0", "address", mac(i));
      ip("-n", name, "addr", "add", `${this.#address(i)}/24`, "dev", "eth0");
      ip("-n", name, "link", "set", "eth0", "up");
      ip("-n", name, "link", "set", "lo", "up");
    }
    this.heal();
  }

  #pairs(each: (a: number, b: number) => void): void {
    for (let a = 0; a < this.places.length; a += 1)
      for (let b = 0; b < this.places.length; b += 1) if (a !== b) each(a, b);
  }

  #neighbour(of: number, to: number, address: string): void {
    ip(
      "-n",
      this.#name(of),
      "neigh",
      "replace",
      this.#address(to),
      "lladdr",
      address,
      "nud",
      "permanent",
      "dev",
      "eth0",
    );
  }

  #name(server: number): string {
    return `${this.#prefix}${server}`;
  }

  #address(server: number): string {
    return `${this.#subnet}.${server + 1}`;
  }
}

const mac = (server: number): string => `02:00:5e:00:00:${String(server + 1).padStart(2, "0")}`;

/** @throws Error with what it says. */
function ip(...words: readonly string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
}

function quietly(...words: readonly string[]): void {
  try {
    ip(...words);
  } catch {
    // It was not there.
  }
}
