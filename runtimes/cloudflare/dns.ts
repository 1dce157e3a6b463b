// DNS over HTTPS: messages as they are (RFC 8484), by GET and by POST, and the JSON form that public resolvers have
// (https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/make-api-requests/dns-json/).
import { formatAddress } from "../../src/dns/address.ts";
import { decodeMessage, encodeMessage, type Message } from "../../src/dns/message.ts";
import { isWireName, withoutFinalDot } from "../../src/dns/name.ts";
import { CLASS_IN, type ResourceRecord, TYPE } from "../../src/dns/record.ts";
import type { RunningAgent } from "../../src/index.ts";
import { decodeBase64Url } from "../../src/util/base64.ts";
import { hex, text } from "../../src/util/bytes.ts";

/** Where questions are asked: RFC 8484 leaves the path free, and this is what clients try. */
export const DNS_PATH = "/dns-query";

const MESSAGE_TYPE = "application/dns-message";
const JSON_TYPE = "application/dns-json";
const MESSAGE_BYTES_MAX = 65_535;

/** Answers one request; `from` is the asker's address. */
export async function answerDns(dns: RunningAgent["dns"], request: Request, from: string): Promise<Response> {
  const { searchParams } = new URL(request.url);
  if (request.method !== "GET" && request.method !== "POST")
    return new Response(null, { status: 405, headers: { Allow: "GET, POST" } });
  const asJson = request.method === "GET" && !searchParams.has("dns");
  const packet = asJson ? questionOf(searchParams) : await packetOf(request, searchParams);
  if (packet instanceof Response) return packet;
  const answer = await dns(packet, "tcp", from);
  // What a DNS server would not answer at all.
  if (answer === null) return refused("The message is not a DNS query");
  const message = decodeMessage(answer);
  const headers = { "Cache-Control": `max-age=${message === null ? 0 : freshSeconds(message)}` };
  if (!asJson)
    return new Response(answer as Uint8Array<ArrayBuffer>, { headers: { ...headers, "Content-Type": MESSAGE_TYPE } });
  return new Response(JSON.stringify(message === null ? null : shown(message)), {
    headers: { ...headers, "Content-Type": JSON_TYPE },
  });
}

async function packetOf(request: Request, search: URLSearchParams): Promise<Uint8Array | Response> {
  if (request.method === "GET") {
    try {
      return decodeBase64Url(search.get("dns") ?? "");
    } catch {
      return refused("dns: not base64url");
    }
  }
  if (request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() !== MESSAGE_TYPE)
    return refused(`Content-Type must be ${MESSAGE_TYPE}`, 415);
  const packet = new Uint8Array(await request.arrayBuffer());
  return packet.length > MESSAGE_BYTES_MAX ? refused("The message is too large", 413) : packet;
}

/** The question of `?name=&type=`. */
function questionOf(search: URLSearchParams): Uint8Array | Response {
  const name = withoutFinalDot(search.get("name") ?? "");
  if (!isWireName(name)) return refused("name: not a domain name");
  const type = typeOf(search.get("type") ?? "A");
  if (type === null) return refused("type: not a type of records");
  return encodeMessage({
    id: 0,
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: isSet(search.get("cd")),
    rcode: 0,
    questions: [{ name, type, class: CLASS_IN }],
    answers: [],
    authorities: [],
    additionals: [],
  });
}

const isSet = (value: string | null): boolean => value === "1" || value === "true";

const refused = (why: string, status = 400): Response => new Response(`${why}\n`, { status });

function typeOf(written: string): number | null {
  const named = new Map(Object.entries(TYPE)).get(written.toUpperCase());
  if (named !== undefined) return named;
  return /^\d{1,5}$/.test(written) && Number(written) <= 0xffff ? Number(written) : null;
}

/** How long an answer may be kept (RFC 8484 §5.1): its shortest TTL; of an empty one what its SOA says (RFC 2308). */
function freshSeconds({ answers, authorities }: Message): number {
  const ttls = answers.flatMap((record) => (record.type === "OPT" ? [] : [record.ttl]));
  if (ttls.length > 0) return Math.min(...ttls);
  const soa = authorities.find((record) => record.type === "SOA");
  return soa?.type === "SOA" ? Math.min(soa.ttl, soa.minimum) : 0;
}

function shown(message: Message): unknown {
  const records = (section: readonly ResourceRecord[]): unknown[] =>
    section.flatMap((record) => (record.type === "OPT" ? [] : [shownRecord(record)]));
  const { answers, authorities, additionals } = message;
  return {
    Status: message.rcode,
    TC: message.truncated,
    RD: message.recursionDesired,
    RA: message.recursionAvailable,
    AD: message.authenticData,
    CD: message.checkingDisabled,
    Question: message.questions.map(({ name, type }) => ({ name: dotted(name), type })),
    ...(answers.length > 0 ? { Answer: records(answers) } : {}),
    ...(authorities.length > 0 ? { Authority: records(authorities) } : {}),
    ...(additionals.some(({ type }) => type !== "OPT") ? { Additional: records(additionals) } : {}),
  };
}

const dotted = (name: string): string => (name.endsWith(".") ? name : `${name}.`);

function shownRecord(record: Exclude<ResourceRecord, { type: "OPT" }>): unknown {
  const type = record.type === "other" ? record.code : TYPE[record.type];
  return { name: dotted(record.name), type, TTL: record.ttl, data: dataOf(record) };
}

/** The data in the form of master files (RFC 1035 §5, RFC 3597 for what is not known). */
function dataOf(record: Exclude<ResourceRecord, { type: "OPT" }>): string {
  switch (record.type) {
    case "A":
    case "AAAA":
      return formatAddress(record.address);
    case "CNAME":
    case "NS":
    case "PTR":
      return dotted(record.target);
    case "MX":
      return `${record.preference} ${dotted(record.exchange)}`;
    case "SRV":
      return `${record.priority} ${record.weight} ${record.port} ${dotted(record.target)}`;
    case "TXT":
      return record.texts.map((one) => JSON.stringify(text(one))).join(" ");
    case "SOA":
      return [
        dotted(record.mname),
        dotted(record.rname),
        record.serial,
        record.refresh,
        record.retry,
        record.expire,
        record.minimum,
      ].join(" ");
    default:
      return `\\# ${record.data.length} ${hex(record.data)}`;
  }
}
