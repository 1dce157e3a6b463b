// The templates that address settings may contain (https://pkg.go.dev/github.com/hashicorp/go-sockaddr/template):
// `{{ GetPrivateIP }}`, `{{ GetInterfaceIP "eth0" }}`, `{{ GetAllInterfaces | include "network" "10.0.0.0/8" | attr "address" }}`.
// Pipelines of functions are understood; the control structures of Go templates are not.
import { quote } from "../util/quote.ts";
import { formatIp, type IpAddress, maskIp, networkContains, parseCidr, parseIp } from "../util/ip-address.ts";
import { type InterfaceAddress, isForwardable, isInRfc } from "./network-interface.ts";

/** The template cannot be read or evaluated. */
export class AddressTemplateError extends Error {
  override readonly name: string = "AddressTemplateError";
}

/** An interface's address, read. */
interface Candidate extends InterfaceAddress {
  ip: IpAddress;
}
type Value = string | number | readonly Candidate[];

/**
 * The text with each `{{ ... }}` replaced by what it evaluates to; several addresses come separated by spaces.
 * @throws AddressTemplateError
 */
export function expandTemplate(text: string, interfaces: readonly InterfaceAddress[]): string {
  if (!text.includes("{{")) return text;
  const all: Candidate[] = [];
  for (const each of interfaces) {
    const ip = parseIp(each.address);
    if (ip !== null) all.push({ ...each, ip });
  }
  const expanded = text.replace(
    action,
    (_whole, before: string, trimBefore, body: string, trimAfter, after: string) => {
      const value = evaluate(body, all);
      return `${trimBefore === undefined ? before : ""}${value}${trimAfter === undefined ? after : ""}`;
    },
  );
  if (text.replace(action, "").includes("{{")) throw new AddressTemplateError("a template action is not closed by }}");
  return expanded;
}

/** `{{ body }}`; `{{-` and `-}}` also take away the white space outside. Quoted strings may hold braces. */
const action = /(\s*)\{\{(-\s)?((?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^"`])*?)(\s-)?\}\}(\s*)/g;

const token = /\s*(?:([A-Za-z_]\w*)|("(?:[^"\\]|\\.)*")|`([^`]*)`|([+-]?\d+)|([|().]))/y;

function evaluate(body: string, all: readonly Candidate[]): string {
  const tokens: (string | { literal: string | number })[] = [];
  const source = body.trim();
  for (token.lastIndex = 0; token.lastIndex < source.length;) {
    const found = token.exec(source);
    if (found === null) throw new AddressTemplateError(`cannot read the template action ${quote(source)}`);
    if (found[2] !== undefined) tokens.push({ literal: unquote(found[2]) });
    else if (found[3] !== undefined) tokens.push({ literal: found[3] });
    else if (found[4] !== undefined) tokens.push({ literal: Number(found[4]) });
    else tokens.push(found[1] ?? found[5] ?? "");
  }
  const value = new Evaluator(tokens, all).whole();
  if (typeof value === "object") {
    throw new AddressTemplateError(`${quote(source)} is a list of interfaces; end it with attr or join`);
  }
  return String(value);
}

function unquote(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw new AddressTemplateError(`cannot read the string ${text}`);
  }
}

class Evaluator {
  readonly #tokens: readonly (string | { literal: string | number })[];
  readonly #all: readonly Candidate[];
  #at = 0;

  constructor(tokens: readonly (string | { literal: string | number })[], all: readonly Candidate[]) {
    this.#tokens = tokens;
    this.#all = all;
  }

  whole(): Value {
    const value = this.#pipeline();
    if (this.#at < this.#tokens.length) throw new AddressTemplateError("unexpected ) in a template action");
    return value;
  }

  /** Commands between `|`; what one gives is the last argument of the next. */
  #pipeline(): Value {
    let value = this.#command(undefined);
    while (this.#tokens[this.#at] === "|") {
      this.#at += 1;
      value = this.#command(value);
    }
    return value;
  }

  #command(piped: Value | undefined): Value {
    const first = this.#tokens[this.#at];
    if (typeof first !== "string" || first === "(" || first === ".") {
      if (piped !== undefined) throw new AddressTemplateError("only a function can follow | in a template");
      return this.#operand();
    }
    if (!/^[A-Za-z_]/.test(first)) throw new AddressTemplateError("a template action has an empty command");
    this.#at += 1;
    const args: Value[] = [];
    for (;;) {
      const next = this.#tokens[this.#at];
      if (next === undefined || next === "|" || next === ")") break;
      args.push(this.#operand());
    }
    if (piped !== undefined) args.push(piped);
    return call(first, args, this.#all);
  }

  #operand(): Value {
    const next = this.#tokens[this.#at];
    this.#at += 1;
    if (typeof next === "object") return next.literal;
    if (next === ".") return this.#all;
    if (next === "(") {
      const value = this.#pipeline();
      if (this.#tokens[this.#at] !== ")") throw new AddressTemplateError("a ( in a template is not closed");
      this.#at += 1;
      return value;
    }
    if (next === undefined) throw new AddressTemplateError("a template action is empty");
    return call(next, [], this.#all);
  }
}

function call(name: string, args: readonly Value[], all: readonly Candidate[]): Value {
  const bad = (): AddressTemplateError => new AddressTemplateError(`wrong arguments for the function ${name}`);
  const text = (index: number): string => {
    const value = args[index];
    if (typeof value !== "string" && typeof value !== "number") throw bad();
    return String(value);
  };
  const list = (index: number): readonly Candidate[] => {
    const value = args[index];
    if (typeof value !== "object") throw bad();
    return value;
  };
  const count = (wanted: number): void => {
    if (args.length !== wanted) throw bad();
  };
  switch (name) {
    case "GetAllInterfaces":
      count(0);
      return all;
    case "GetDefaultInterfaces":
      count(0);
      return defaultInterfaces(all);
    case "GetPrivateInterfaces":
      count(0);
      return ordered(all.filter(isPrivateAndForwardable));
    case "GetPublicInterfaces":
      count(0);
      return ordered(all.filter(isPublic));
    case "GetPrivateIP":
      count(0);
      return firstAddress(ordered(all.filter(isPrivateAndForwardable)));
    case "GetPrivateIPs":
      count(0);
      return joinAddresses(ordered(all.filter(isPrivateAndForwardable)));
    case "GetPublicIP":
      count(0);
      return firstAddress(ordered(all.filter(isPublic)));
    case "GetPublicIPs":
      count(0);
      return joinAddresses(ordered(all.filter(isPublic)));
    case "GetInterfaceIP": {
      count(1);
      const named = select("name", text(0), all).filter((each) => isForwardable(each.ip));
      return firstAddress(sort("+type,+size", named));
    }
    case "GetInterfaceIPs":
      count(1);
      return joinAddresses(sort("+type,+size", select("name", text(0), all)));
    case "include":
      count(3);
      return select(text(0), text(1), list(2));
    case "exclude": {
      count(3);
      const excluded = new Set(select(text(0), text(1), list(2)));
      return list(2).filter((each) => !excluded.has(each));
    }
    case "sort":
      count(2);
      return sort(text(0), list(1));
    case "limit":
      count(2);
      return list(1).slice(0, Number(text(0)));
    case "offset":
      count(2);
      return list(1).slice(Number(text(0)));
    case "unique": {
      count(2);
      const attribute = text(0);
      return list(1).filter(
        (each, index, whole) =>
          index === 0 || attributeOf(attribute, each) !== attributeOf(attribute, whole[index - 1]),
      );
    }
    case "attr": {
      count(2);
      return list(1).length === 0 ? "" : attributeOf(text(0), list(1)[0]);
    }
    case "join":
      count(3);
      return list(2)
        .map((each) => attributeOf(text(0), each))
        .join(text(1));
    case "printf":
      return printf(text(0), args.slice(1));
    default:
      throw new AddressTemplateError(`the template function ${quote(name)} is not supported`);
  }
}

function isPrivateAndForwardable(each: Candidate): boolean {
  return isInRfc(6890, each.ip) === true && isForwardable(each.ip);
}

function isPublic(each: Candidate): boolean {
  return isInRfc(6890, each.ip) === false && isForwardable(each.ip);
}

function defaultInterfaces(all: readonly Candidate[]): readonly Candidate[] {
  if (!all.some((each) => each.defaultRoute !== undefined)) {
    throw new AddressTemplateError("GetDefaultInterfaces needs the routing table, which this runtime does not give");
  }
  return all.filter((each) => each.defaultRoute === true);
}

function firstAddress(list: readonly Candidate[]): string {
  return list[0] === undefined ? "" : formatIp(list[0].ip);
}

function joinAddresses(list: readonly Candidate[]): string {
  return list.map((each) => formatIp(each.ip)).join(" ");
}

function ordered(list: readonly Candidate[]): readonly Candidate[] {
  return sort("+default,+type,+size", list);
}

/** The members of `list` whose `selector` matches; alternatives in `parameter` are separated by `|`. */
function select(selector: string, parameter: string, list: readonly Candidate[]): readonly Candidate[] {
  const any = (test: (part: string, each: Candidate) => boolean): readonly Candidate[] => {
    const parts = parameter.toLowerCase().split("|");
    return list.filter((each) => parts.some((part) => test(part, each)));
  };
  switch (selector.toLowerCase()) {
    case "name":
      return matching(parameter, list, (each) => each.name);
    case "address":
      return matching(parameter, list, (each) => `${formatIp(each.ip)}/${each.prefixBits}`);
    case "type":
      return any((part, each) => {
        if (!/^ip(v4|v6)?$/.test(part)) throw new AddressTemplateError(`unsupported type ${quote(part)}`);
        return part === "ip" || part === `ipv${each.ip.family}`;
      });
    case "network":
      return any((part, each) => {
        const network = parseCidr(part);
        if (network === null) throw new AddressTemplateError(`${quote(part)} is no network`);
        return networkContains(network, each.ip);
      });
    case "rfc":
    case "rfcs":
      return any((part, each) => {
        const found = isInRfc(Number(part), each.ip);
        if (found === null) throw new AddressTemplateError(`unsupported RFC ${quote(part)}`);
        return found;
      });
    case "size":
      return any((part, each) => each.prefixBits === Number(part));
    case "flag":
    case "flags":
      return any(hasFlag);
    default:
      throw new AddressTemplateError(`invalid selector ${quote(selector)}`);
  }
}

function matching(pattern: string, list: readonly Candidate[], of: (each: Candidate) => string): readonly Candidate[] {
  let form: RegExp;
  try {
    form = new RegExp(pattern);
  } catch {
    throw new AddressTemplateError(`${quote(pattern)} is no regular expression`);
  }
  return list.filter((each) => form.test(of(each)));
}

function hasFlag(flag: string, each: Candidate): boolean {
  const [first = 0, second = 0] = each.ip.bytes;
  const linkLocal = each.ip.family === 4 ? first === 169 && second === 254 : first === 0xfe && second >> 6 === 2;
  switch (flag) {
    case "up":
      return true;
    case "down":
      return false;
    case "loopback":
      return each.loopback;
    case "forwardable":
      return isForwardable(each.ip);
    case "link-local unicast":
      return linkLocal;
    case "global unicast":
      return !each.loopback && !linkLocal;
    default:
      throw new AddressTemplateError(`the interface flag ${quote(flag)} is not supported`);
  }
}

function sort(clauses: string, list: readonly Candidate[]): readonly Candidate[] {
  const comparisons = clauses.split(",").map((clause) => {
    const [, sign, key] = /^\s*([+-]?)(\w+)\s*$/.exec(clause.toLowerCase()) ?? [];
    const compare = key === undefined ? undefined : comparisonsByKey.get(key);
    if (compare === undefined) throw new AddressTemplateError(`unknown sort type: ${quote(clause)}`);
    return { compare, direction: sign === "-" ? -1 : 1 };
  });
  return [...list].sort((a, b) => {
    for (const { compare, direction } of comparisons) {
      const order = compare(a, b) * direction;
      if (order !== 0) return order;
    }
    return 0;
  });
}

type Comparison = (a: Candidate, b: Candidate) => number;
const comparisonsByKey: ReadonlyMap<string, Comparison> = new Map<string, Comparison>([
  ["address", (a, b) => a.ip.family - b.ip.family || compareBytes(a.ip.bytes, b.ip.bytes)],
  ["default", (a, b) => Number(b.defaultRoute ?? false) - Number(a.defaultRoute ?? false)],
  ["name", (a, b) => (a.name < b.name ? -1 : Number(a.name > b.name))],
  ["private", (a, b) => Number(isInRfc(6890, b.ip)) - Number(isInRfc(6890, a.ip))],
  ["size", (a, b) => a.prefixBits - b.prefixBits],
  ["type", (a, b) => a.ip.family - b.ip.family],
]);

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < a.length; index += 1) {
    const order = (a[index] ?? 0) - (b[index] ?? 0);
    if (order !== 0) return order;
  }
  return 0;
}

function attributeOf(attribute: string, each: Candidate | undefined): string {
  if (each === undefined) return "";
  switch (attribute.toLowerCase()) {
    case "address":
    case "host":
      return formatIp(each.ip);
    case "name":
      return each.name;
    case "network":
      return formatIp(maskIp(each.ip, each.prefixBits));
    case "mask_bits":
    case "size":
      return String(each.prefixBits);
    case "port":
      return "0";
    case "string":
      return `${formatIp(each.ip)}/${each.prefixBits}`;
    case "type":
      return `IPv${each.ip.family}`;
    default:
      throw new AddressTemplateError(`unsupported attribute name ${quote(attribute)}`);
  }
}

function printf(format: string, args: readonly Value[]): string {
  let at = 0;
  return format.replace(/%(.)/g, (_, verb: string) => {
    if (verb === "%") return "%";
    const value = args[at];
    at += 1;
    if (!["s", "d", "v"].includes(verb) || value === undefined || typeof value === "object") {
      throw new AddressTemplateError(`printf cannot print %${verb} here`);
    }
    return String(value);
  });
}
