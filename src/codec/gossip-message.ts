// Gossip's requests and answers to bytes and back, in the compact form of compact.ts. A byte for the type comes first; the
// types of requests and of answers are different bytes, so one is never taken for the other. Whether what was sent makes
// sense is for the gossip machine to say (gossip/message-check.ts); here is only the shape, bounded, so that bytes of
// somebody who means no good cost no more than they are long.
import type {
  Ack,
  Answer,
  Coordinate,
  MemberRecord,
  MemberRow,
  MemberState,
  PoolState,
  RefusalReason,
  Request,
  Tags,
  Update,
  UserEvent,
  Versions,
} from "../gossip/types.ts";
import { userMap } from "../util/user-map.ts";
import { CompactReader, CompactWriter } from "./compact.ts";

// The place of a word in these lists is its byte: new ones go to the end.
const REQUESTS: readonly Request["type"][] = ["ping", "indirect-ping", "rumours", "push-pull", "who-holds"];
const ANSWERS: readonly Answer["type"][] = ["ack", "nack", "push-pull-answer", "holder", "refused"];
const UPDATES: readonly Update["type"][] = ["alive", "suspect", "dead", "join-intent", "leave-intent", "user-event"];
const STATES: readonly MemberState[] = ["alive", "suspect", "dead", "left"];
const REASONS: readonly RefusalReason[] = ["malformed", "wrong-target", "vetoed", "protocol", "address", "left"];
const FIRST_ANSWER = 0x40;

/** Four bytes of UTF-8 for each of the 128 characters of a name. */
const NAME_BYTES_MAX = 512;
const ADDRESS_BYTES_MAX = 1200;
const TAG_BYTES_MAX = 4096;
const TEXT_BYTES_MAX = 4096;
const PAYLOAD_BYTES_MAX = 16_384;
const UPDATES_MAX = 4096;
const EVENTS_MAX = 16_384;
const ROWS_MAX = 65_536;
const TAGS_MAX = 128;
/** Of all members of one message together. */
const TAGS_TOTAL_MAX = 2_000_000;
const VECTOR_MAX = 64;
/** The least that each of these takes. */
const UPDATE_BYTES_MIN = 3;
const ROW_BYTES_MIN = 12;

/** The bytes of a request. */
export function encodeRequest(message: Request): Uint8Array<ArrayBuffer> {
  const writer = new CompactWriter();
  writer.byte(REQUESTS.indexOf(message.type));
  writer.text(message.from);
  switch (message.type) {
    case "ping":
      writer.text(message.target);
      writer.count(message.received);
      writeUpdates(writer, message.updates);
      break;
    case "indirect-ping":
      writer.text(message.target);
      writer.count(Math.ceil(message.timeoutMs));
      writeUpdates(writer, message.updates);
      break;
    case "rumours":
      writeUpdates(writer, message.updates);
      break;
    case "push-pull":
      writer.byte(message.join ? 1 : 0);
      writeState(writer, message.state);
      break;
    case "who-holds":
      writer.text(message.name);
      break;
  }
  return writer.written();
}

/** The request that the bytes are, or null when they are none. */
export function decodeRequest(bytes: Uint8Array): Request | null {
  const reader = new Reader(bytes);
  const message = readRequest(reader);
  return message === null || reader.isBad || reader.left > 0 ? null : message;
}

/** The bytes of an answer. */
export function encodeAnswer(message: Answer): Uint8Array<ArrayBuffer> {
  const writer = new CompactWriter();
  writer.byte(FIRST_ANSWER + ANSWERS.indexOf(message.type));
  if (message.type === "refused") {
    writer.byte(REASONS.indexOf(message.reason));
    writer.text(message.text);
    return writer.written();
  }
  writer.text(message.from);
  switch (message.type) {
    case "ack":
      writer.count(message.sequence);
      writeCoordinate(writer, message.coordinate);
      writeUpdates(writer, message.updates);
      break;
    case "nack":
      writeUpdates(writer, message.updates);
      break;
    case "push-pull-answer":
      writeState(writer, message.state);
      break;
    case "holder":
      writer.byte(message.address === null ? 0 : 1);
      if (message.address !== null) writer.text(message.address);
      break;
  }
  return writer.written();
}

/** The answer that the bytes are, or null when they are none. */
export function decodeAnswer(bytes: Uint8Array): Answer | null {
  const reader = new Reader(bytes);
  const message = readAnswer(reader);
  return message === null || reader.isBad || reader.left > 0 ? null : message;
}

// ---------------------------------------------------------------------------------------------------------- writing

function writeUpdates(writer: CompactWriter, updates: readonly Update[]): void {
  writer.count(updates.length);
  for (const update of updates) writeUpdate(writer, update);
}

function writeUpdate(writer: CompactWriter, update: Update): void {
  writer.byte(UPDATES.indexOf(update.type));
  switch (update.type) {
    case "alive":
      writer.count(update.incarnation);
      writeRecord(writer, update.member);
      break;
    case "suspect":
    case "dead":
      writer.text(update.name);
      writer.count(update.incarnation);
      writer.text(update.from);
      break;
    case "join-intent":
      writer.text(update.name);
      writer.count(update.time);
      break;
    case "leave-intent":
      writer.text(update.name);
      writer.count(update.time);
      writer.byte(update.prune ? 1 : 0);
      break;
    case "user-event":
      writeEvent(writer, update);
      break;
  }
}

function writeEvent(writer: CompactWriter, event: UserEvent): void {
  writer.count(event.time);
  writer.text(event.name);
  writer.bytes(event.payload);
  writer.byte(event.coalesce ? 1 : 0);
}

function writeRecord(writer: CompactWriter, { name, address, anchor, tags, versions }: MemberRecord): void {
  writer.text(name);
  writer.text(address);
  writer.byte(anchor === null ? 0 : 1);
  if (anchor !== null) writer.text(anchor);
  const keys = Object.keys(tags);
  writer.count(keys.length);
  for (const key of keys) {
    writer.text(key);
    writer.text(tags[key] as string);
  }
  writer.count(versions.protocolMin);
  writer.count(versions.protocolMax);
  writer.count(versions.protocolCurrent);
  writer.count(versions.delegateMin);
  writer.count(versions.delegateMax);
  writer.count(versions.delegateCurrent);
}

function writeState(writer: CompactWriter, { members, time, eventTime, events }: PoolState): void {
  writer.count(time);
  writer.count(eventTime);
  writer.count(members.length);
  for (const row of members) {
    writer.byte(STATES.indexOf(row.state) | (row.leaving ? LEAVING : 0));
    writer.count(row.incarnation);
    writer.count(row.time);
    writeRecord(writer, row.member);
  }
  writer.count(events.length);
  for (const event of events) writeEvent(writer, event);
}
/** A bit beside the state of a row. */
const LEAVING = 4;

function writeCoordinate(writer: CompactWriter, coordinate: Coordinate | null): void {
  writer.byte(coordinate === null ? 0 : 1);
  if (coordinate === null) return;
  writer.count(coordinate.Vec.length);
  for (const part of coordinate.Vec) writer.float(part);
  writer.float(coordinate.Error);
  writer.float(coordinate.Adjustment);
  writer.float(coordinate.Height);
}

// ---------------------------------------------------------------------------------------------------------- reading

class Reader extends CompactReader {
  tagsLeft: number = TAGS_TOTAL_MAX;

  name(): string {
    return this.text(NAME_BYTES_MAX);
  }

  bool(): boolean {
    return this.flags(1) === 1;
  }
}

function readRequest(reader: Reader): Request | null {
  const type = REQUESTS[reader.byte()];
  const from = reader.name();
  switch (type) {
    case "ping": {
      const [target, received] = [reader.name(), reader.count()];
      return { type, from, target, updates: readUpdates(reader), received };
    }
    case "indirect-ping": {
      const [target, timeoutMs] = [reader.name(), reader.count()];
      return { type, from, target, timeoutMs, updates: readUpdates(reader) };
    }
    case "rumours":
      return { type, from, updates: readUpdates(reader) };
    case "push-pull":
      return { type, from, join: reader.bool(), state: readState(reader) };
    case "who-holds":
      return { type, from, name: reader.name() };
    default:
      return null;
  }
}

function readAnswer(reader: Reader): Answer | null {
  const type = ANSWERS[reader.byte() - FIRST_ANSWER];
  if (type === "refused") {
    const reason = REASONS[reader.byte()];
    return reason === undefined ? null : { type, reason, text: reader.text(TEXT_BYTES_MAX) };
  }
  const from = reader.name();
  switch (type) {
    case "ack":
      return readAck(reader, from);
    case "nack":
      return { type, from, updates: readUpdates(reader) };
    case "push-pull-answer":
      return { type, from, state: readState(reader) };
    case "holder":
      return { type, from, address: reader.bool() ? reader.text(ADDRESS_BYTES_MAX) : null };
    default:
      return null;
  }
}

function readAck(reader: Reader, from: string): Ack {
  const [sequence, coordinate] = [reader.count(), readCoordinate(reader)];
  return { type: "ack", from, updates: readUpdates(reader), coordinate, sequence };
}

function readUpdates(reader: Reader): Update[] {
  const updates: Update[] = [];
  for (let left = reader.length(UPDATE_BYTES_MIN, UPDATES_MAX); left > 0 && !reader.isBad; left -= 1) {
    const update = readUpdate(reader);
    if (update === null) reader.isBad = true;
    else updates.push(update);
  }
  return updates;
}

function readUpdate(reader: Reader): Update | null {
  const type = UPDATES[reader.byte()];
  switch (type) {
    case "alive":
      return { type, incarnation: reader.count(), member: readRecord(reader) };
    case "suspect":
    case "dead":
      return { type, name: reader.name(), incarnation: reader.count(), from: reader.name() };
    case "join-intent":
      return { type, name: reader.name(), time: reader.count() };
    case "leave-intent":
      return { type, name: reader.name(), time: reader.count(), prune: reader.bool() };
    case "user-event":
      return readEvent(reader);
    default:
      return null;
  }
}

function readEvent(reader: Reader): UserEvent {
  return {
    type: "user-event",
    time: reader.count(),
    name: reader.text(TEXT_BYTES_MAX),
    payload: reader.bytes(PAYLOAD_BYTES_MAX),
    coalesce: reader.bool(),
  };
}

function readRecord(reader: Reader): MemberRecord {
  const name = reader.name();
  const address = reader.text(ADDRESS_BYTES_MAX);
  const anchor = reader.bool() ? reader.name() : null;
  return { name, address, anchor, tags: readTags(reader), versions: readVersions(reader) };
}

function readTags(reader: Reader): Tags {
  const tags = userMap<string>();
  const length = reader.length(2, Math.min(TAGS_MAX, reader.tagsLeft));
  reader.tagsLeft -= length;
  for (let left = length; left > 0 && !reader.isBad; left -= 1) {
    const key = reader.text(TAG_BYTES_MAX);
    if (Object.hasOwn(tags, key)) reader.isBad = true;
    tags[key] = reader.text(TAG_BYTES_MAX);
  }
  return tags;
}

function readVersions(reader: Reader): Versions {
  return {
    protocolMin: reader.count(),
    protocolMax: reader.count(),
    protocolCurrent: reader.count(),
    delegateMin: reader.count(),
    delegateMax: reader.count(),
    delegateCurrent: reader.count(),
  };
}

function readState(reader: Reader): PoolState {
  const [time, eventTime] = [reader.count(), reader.count()];
  const members: MemberRow[] = [];
  for (let left = reader.length(ROW_BYTES_MIN, ROWS_MAX); left > 0 && !reader.isBad; left -= 1) {
    const flags = reader.flags(LEAVING | 3);
    const [incarnation, intentTime] = [reader.count(), reader.count()];
    const state = STATES[flags & 3] as MemberState;
    members.push({
      member: readRecord(reader),
      incarnation,
      state,
      leaving: (flags & LEAVING) !== 0,
      time: intentTime,
    });
  }
  const events: UserEvent[] = [];
  for (let left = reader.length(UPDATE_BYTES_MIN, EVENTS_MAX); left > 0 && !reader.isBad; left -= 1)
    events.push(readEvent(reader));
  return { members, time, eventTime, events };
}

function readCoordinate(reader: Reader): Coordinate | null {
  if (!reader.bool()) return null;
  const Vec: number[] = [];
  for (let left = reader.length(8, VECTOR_MAX); left > 0 && !reader.isBad; left -= 1) Vec.push(reader.float());
  return { Vec, Error: reader.float(), Adjustment: reader.float(), Height: reader.float() };
}
