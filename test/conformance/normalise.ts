// Takes out of an answer what differs from run to run: ids, times, indexes, ports. The n-th id of a scenario is
// `<uuid#n>` wherever it turns up, so that "the same id" is still compared.

const ID = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g;
/** Ids that mean something: none, and Consul's own policies. */
const FIXED_ID = /^(?:[0-]+|0{8}-(?:0{4}-){3}0{11}[12])$/;
const INSTANT = /\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})/g;
/** Go's zero time means "never" and is kept. */
const ZERO_DAY = "0001-01-01";
const INDEX_FIELD = new Set(["CreateIndex", "ModifyIndex"]);

/** The memory of one scenario. */
export class Normaliser {
  readonly #ids = new Map<string, string>();
  readonly #ports: readonly (readonly [number: string, placeholder: string, inText: RegExp])[];

  /** @param ports the agent's, by the name that stands in the recordings. */
  constructor(ports: Record<string, number>) {
    this.#ports = Object.entries(ports).map(([name, port]) => [
      String(port),
      `<${name}>`,
      new RegExp(`(?<!\\d)${port}(?!\\d)`, "g"),
    ]);
  }

  text(value: string): string {
    let text = value.replaceAll(ID, (id) => (FIXED_ID.test(id) ? id : this.#nth(id)));
    text = text.replaceAll(INSTANT, (instant) => (instant.startsWith(ZERO_DAY) ? instant : "<time>"));
    for (const [, placeholder, inText] of this.#ports) text = text.replaceAll(inText, placeholder);
    return text;
  }

  /** @param key the field that the value is in. */
  json(value: unknown, key = ""): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value === "number") return this.#number(value, key);
    if (Array.isArray(value)) return value.map((item) => this.json(item, key));
    if (typeof value !== "object" || value === null) return value;
    const out: Record<string, unknown> = {};
    for (const [name, item] of Object.entries(value)) out[this.text(name)] = this.json(item, name);
    const { CreateIndex: created, ModifyIndex: modified } = value as { CreateIndex?: unknown; ModifyIndex?: unknown };
    if (typeof created === "number" && typeof modified === "number" && created > 0)
      out.ModifyIndex = relation(created, modified);
    return out;
  }

  #number(value: number, key: string): unknown {
    if (INDEX_FIELD.has(key)) return value > 0 ? "<index>" : value;
    return this.#ports.find(([port]) => port === String(value))?.[1] ?? value;
  }

  #nth(id: string): string {
    let name = this.#ids.get(id);
    if (name === undefined) this.#ids.set(id, (name = `<uuid#${this.#ids.size + 1}>`));
    return name;
  }
}

function relation(created: number, modified: number): string {
  if (modified === created) return "<CreateIndex>";
  return modified > created ? "<later>" : "<EARLIER>";
}

/** Keeps the types of values only, and of a list its first item: for answers that depend on the machine. */
export function shapeOf(value: unknown): unknown {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== "object") return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]));
}
