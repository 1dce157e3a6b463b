// Is a message, or an update in it, one that a right member could send? Checked before anything else looks at it: what comes
// from the network may be anything of the right type.
import { LAMPORT_TIME_MAX } from "./lamport.ts";
import { NAME_LENGTH_MAX } from "./options.ts";
import { tagsSize, textSize } from "./size.ts";
import type {
  Answer,
  Coordinate,
  GossipLimits,
  MemberRecord,
  MemberRow,
  PoolState,
  Request,
  Update,
  Versions,
} from "./types.ts";

const ADDRESS_LENGTH_MAX = 300;
/** Room is left for refutations. */
const INCARNATION_MAX = 2 ** 48;
const TIMEOUT_MAX_MS = 600_000;
/** Updates in one message: far more than any budget lets through. */
const UPDATES_MAX = 4096;

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= NAME_LENGTH_MAX;
}

function isIncarnation(value: unknown): boolean {
  return isCount(value) && value <= INCARNATION_MAX;
}

function isTime(value: unknown): boolean {
  return isCount(value) && value <= LAMPORT_TIME_MAX;
}

function isVersions(value: Versions): boolean {
  if (!isObject(value)) return false;
  const { protocolMin, protocolMax, protocolCurrent, delegateMin, delegateMax, delegateCurrent } = value;
  return [protocolMin, protocolMax, protocolCurrent, delegateMin, delegateMax, delegateCurrent].every(isCount);
}

/** True when the record is whole, and is either reachable or anchored. */
function isRecord(value: MemberRecord, limits: GossipLimits): boolean {
  if (!isObject(value) || !isName(value.name) || !isObject(value.tags) || !isVersions(value.versions)) return false;
  if (typeof value.address !== "string" || value.address.length > ADDRESS_LENGTH_MAX) return false;
  if (value.anchor === null ? value.address === "" : value.address !== "" || !isName(value.anchor)) return false;
  for (const tag of Object.values(value.tags)) if (typeof tag !== "string") return false;
  return tagsSize(value.tags) <= limits.tagBytes;
}

/** True when the update says something, and in bounds. */
export function isUpdate(update: Update, limits: GossipLimits): boolean {
  if (!isObject(update)) return false;
  switch (update.type) {
    case "alive":
      return isIncarnation(update.incarnation) && isRecord(update.member, limits);
    case "suspect":
    case "dead":
      return isIncarnation(update.incarnation) && isName(update.name) && isName(update.from);
    case "join-intent":
      return isName(update.name) && isTime(update.time);
    case "leave-intent":
      return isName(update.name) && isTime(update.time) && typeof update.prune === "boolean";
    case "user-event":
      return (
        isTime(update.time) &&
        typeof update.name === "string" &&
        update.payload instanceof Uint8Array &&
        textSize(update.name) + update.payload.length <= limits.userEventBytes &&
        typeof update.coalesce === "boolean"
      );
    default:
      return false;
  }
}

function isRow(row: MemberRow, limits: GossipLimits): boolean {
  return (
    isObject(row) &&
    isRecord(row.member, limits) &&
    isIncarnation(row.incarnation) &&
    (row.state === "alive" || row.state === "suspect" || row.state === "dead" || row.state === "left") &&
    typeof row.leaving === "boolean" &&
    isTime(row.time)
  );
}

/** True when every row and event is right: a state with a wrong one is taken for wrong as a whole. */
function isState(state: PoolState, limits: GossipLimits): boolean {
  if (!isObject(state) || !Array.isArray(state.members) || !Array.isArray(state.events)) return false;
  if (!isTime(state.time) || !isTime(state.eventTime) || state.members.length > limits.members) return false;
  // More than the buffer's length is possible: several events may have one time.
  if (state.events.length > 16 * limits.eventBuffer) return false;
  return (
    state.members.every((row) => isRow(row, limits)) &&
    state.events.every((event) => isUpdate(event, limits) && event.type === "user-event")
  );
}

function isUpdates(value: readonly Update[]): boolean {
  return Array.isArray(value) && value.length <= UPDATES_MAX;
}

/** True when the request is whole. The updates of a message are looked at one by one, by `isUpdate`. */
export function isRequest(message: Request, limits: GossipLimits): boolean {
  if (!isObject(message) || !isName(message.from)) return false;
  switch (message.type) {
    case "ping":
      return isName(message.target) && isUpdates(message.updates) && isCount(message.received);
    case "indirect-ping":
      return (
        isName(message.target) &&
        isUpdates(message.updates) &&
        message.timeoutMs > 0 &&
        message.timeoutMs <= TIMEOUT_MAX_MS
      );
    case "rumours":
      return isUpdates(message.updates);
    case "push-pull":
      return typeof message.join === "boolean" && isState(message.state, limits);
    case "who-holds":
      return isName(message.name);
    default:
      return false;
  }
}

/** True when the coordinate has numbers only. */
function isCoordinate(value: Coordinate): boolean {
  if (!isObject(value) || !Array.isArray(value.Vec)) return false;
  return [...value.Vec, value.Error, value.Adjustment, value.Height].every((part) => Number.isFinite(part));
}

/** True when the answer is whole. */
export function isAnswer(message: Answer, limits: GossipLimits): boolean {
  if (!isObject(message)) return false;
  if (message.type === "refused") return typeof message.reason === "string" && typeof message.text === "string";
  if (!isName(message.from)) return false;
  switch (message.type) {
    case "ack":
      return (
        isUpdates(message.updates) &&
        isCount(message.sequence) &&
        (message.coordinate === null || isCoordinate(message.coordinate))
      );
    case "nack":
      return isUpdates(message.updates);
    case "push-pull-answer":
      return isState(message.state, limits);
    case "holder":
      return (
        message.address === null ||
        (typeof message.address === "string" && message.address.length <= ADDRESS_LENGTH_MAX)
      );
    default:
      return false;
  }
}
