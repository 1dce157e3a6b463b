// Asks one DNS question of a scenario over UDP and gives the answer in the form of the recordings: records as canonical
// texts, in order, so that the order of an answer is open.
import { createSocket } from "node:dgram";
import { decode, encode, type Record as DnsRecord, RECURSION_DESIRED } from "dns-packet";
import type { AgentProcess } from "./agent-process.ts";
import { canonical } from "./compare.ts";
import type { Normaliser } from "./normalise.ts";
import type { Step } from "./scenario.ts";

const ANSWER_MS = 5000;
/** What a recording says of a record. */
const RECORD_FIELDS = ["name", "type", "ttl", "data"];

export async function dnsStep(
  step: Step & { dns: string },
  agent: AgentProcess,
  normaliser: Normaliser,
): Promise<unknown> {
  const [type, name] = step.dns.split(" ") as [string, string];
  const query = encode({
    type: "query",
    id: 4711,
    flags: step.norecurse ? 0 : RECURSION_DESIRED,
    questions: [{ type, name, class: "IN" }],
    additionals:
      step.edns === undefined ? [] : [{ type: "OPT", name: ".", udpPayloadSize: step.edns, flags: 0, options: [] }],
  });
  const packet = decode(await exchange(query, agent.ports.dns as number));
  const section = (records: readonly DnsRecord[]): string[] =>
    records.map((record) => shown(record, normaliser)).sort();
  const { answers, authorities, additionals } = packet;
  return {
    rcode: packet.rcode,
    authoritative: packet.flag_aa,
    truncated: packet.flag_tc,
    recursionAvailable: packet.flag_ra,
    answers: step.countOnly ? answers.length : section(answers),
    authorities: section(authorities),
    additionals: additionalsOf(step, additionals, section),
  };
}

function additionalsOf(
  step: Step,
  records: readonly DnsRecord[],
  section: (records: readonly DnsRecord[]) => string[],
): unknown {
  if (step.answersOnly) return "any";
  if (step.countOnly) return records.length;
  return section(records.filter(({ type }) => type !== "OPT"));
}

function shown(record: DnsRecord, normaliser: Normaliser): string {
  const kept = Object.fromEntries(
    RECORD_FIELDS.filter((field) => field in record).map((field) => [field, record[field]]),
  );
  const { data } = record;
  if (record.type === "SOA") kept.data = { ...(data as object), serial: 0 };
  else if (Buffer.isBuffer(data)) kept.data = data.toString();
  else if (Array.isArray(data)) kept.data = data.map(String);
  return canonical(normaliser.json(kept));
}

async function exchange(query: Buffer, port: number): Promise<Buffer> {
  const socket = createSocket("udp4");
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no DNS answer in ${ANSWER_MS} ms`)), ANSWER_MS);
      socket.once("error", reject).once("message", (message) => {
        clearTimeout(timer);
        resolve(message);
      });
      socket.send(query, port, "127.0.0.1");
    });
  } finally {
    socket.close();
  }
}
