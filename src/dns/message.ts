// A whole DNS message (RFC 1035 §4.1) as plain data, to and from bytes. The server's own questions take the shorter way of
// query.ts; this one is for what recursors answer, for tests and for anyone who wants to read a message.

import type { Question, ResourceRecord } from "./record.ts";
import { HEADER_BYTES, WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

export interface Message {
  id: number;
  /** True for an answer, false for a question (the QR bit). */
  response: boolean;
  opcode: number;
  authoritative: boolean;
  truncated: boolean;
  recursionDesired: boolean;
  recursionAvailable: boolean;
  authenticData: boolean;
  checkingDisabled: boolean;
  /** The header's four bits. */
  rcode: number;
  questions: readonly Question[];
  answers: readonly ResourceRecord[];
  authorities: readonly ResourceRecord[];
  additionals: readonly ResourceRecord[];
}

/** Bits of the header's second 16 bits. */
export const FLAG = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080, AD: 0x0020, CD: 0x0010 } as const;

/** The message in `bytes`; null when it is malformed. What follows the message is ignored. */
export function decodeMessage(bytes: Uint8Array): Message | null {
  if (bytes.length < HEADER_BYTES) return null;
  const reader = new WireReader(bytes);
  const id = reader.u16();
  const flags = reader.u16();
  const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()] as const;
  const questions: Question[] = [];
  for (let i = 0; i < counts[0] && !reader.failed; i += 1) {
    questions.push({ name: reader.name(), type: reader.u16(), class: reader.u16() });
  }
  const answers = readSection(reader, counts[1]);
  const authorities = answers && readSection(reader, counts[2]);
  const additionals = authorities && readSection(reader, counts[3]);
  if (reader.failed || answers === null || authorities === null || additionals === null) return null;
  return {
    id,
    response: (flags & FLAG.QR) !== 0,
    opcode: (flags >>> 11) & 15,
    authoritative: (flags & FLAG.AA) !== 0,
    truncated: (flags & FLAG.TC) !== 0,
    recursionDesired: (flags & FLAG.RD) !== 0,
    recursionAvailable: (flags & FLAG.RA) !== 0,
    authenticData: (flags & FLAG.AD) !== 0,
    checkingDisabled: (flags & FLAG.CD) !== 0,
    rcode: flags & 15,
    questions,
    answers,
    authorities,
    additionals,
  };
}

function readSection(reader: WireReader, count: number): ResourceRecord[] | null {
  const records: ResourceRecord[] = [];
  for (let i = 0; i < count; i += 1) {
    const record = reader.record();
    if (record === null) return null;
    records.push(record);
  }
  return records;
}

/** The bytes of a message, compressed unless told otherwise. Its names and texts must fit the wire (`isWireName`). */
export function encodeMessage(message: Message, options: { compress?: boolean } = {}): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter(512);
  writer.begin(options.compress ?? true);
  writer.u16(message.id);
  writer.u16(
    (message.response ? FLAG.QR : 0) |
      (message.opcode << 11) |
      (message.authoritative ? FLAG.AA : 0) |
      (message.truncated ? FLAG.TC : 0) |
      (message.recursionDesired ? FLAG.RD : 0) |
      (message.recursionAvailable ? FLAG.RA : 0) |
      (message.authenticData ? FLAG.AD : 0) |
      (message.checkingDisabled ? FLAG.CD : 0) |
      message.rcode,
  );
  const sections = [message.answers, message.authorities, message.additionals];
  writer.u16(message.questions.length);
  for (const section of sections) writer.u16(section.length);
  for (const question of message.questions) {
    writer.name(question.name);
    writer.u16(question.type);
    writer.u16(question.class);
  }
  for (const section of sections) for (const record of section) writer.record(record);
  return writer.finish();
}
