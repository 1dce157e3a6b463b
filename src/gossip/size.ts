// How large updates and messages are about to be, for the piggyback budget: estimates, since the encoder is the host's.
import type { Answer, MemberRecord, PoolState, Request, Update } from "./types.ts";

/** Type, lengths and numbers of an update. */
const UPDATE_BYTES = 16;
const NAME_BYTES = 2;
/** Envelope and fields of a message. */
const MESSAGE_BYTES = 48;
const COORDINATE_BYTES = 100;

/** UTF-8 bytes; a pair of surrogates counts 6 instead of 4. */
export function textSize(text: string): number {
  let size = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 0x7ff) size += 2;
    else if (code > 0x7f) size += 1;
  }
  return size;
}

/** Names and values of tags. */
export function tagsSize(tags: Readonly<Record<string, string>>): number {
  let size = 0;
  for (const [name, value] of Object.entries(tags)) size += textSize(name) + textSize(value) + 2 * NAME_BYTES;
  return size;
}

function recordSize(record: MemberRecord): number {
  const { name, address, anchor, tags } = record;
  return textSize(name) + textSize(address) + textSize(anchor ?? "") + tagsSize(tags) + 3 * NAME_BYTES + 6;
}

/** Bytes of one update. */
export function updateSize(update: Update): number {
  switch (update.type) {
    case "alive":
      return UPDATE_BYTES + recordSize(update.member);
    case "suspect":
    case "dead":
      return UPDATE_BYTES + textSize(update.name) + textSize(update.from) + 2 * NAME_BYTES;
    case "join-intent":
    case "leave-intent":
      return UPDATE_BYTES + textSize(update.name) + NAME_BYTES;
    case "user-event":
      return UPDATE_BYTES + textSize(update.name) + update.payload.length + 2 * NAME_BYTES;
  }
}

function updatesSize(updates: readonly Update[]): number {
  let size = 0;
  for (const update of updates) size += updateSize(update);
  return size;
}

function stateSize(state: PoolState): number {
  let size = updatesSize(state.events);
  for (const { member } of state.members) size += UPDATE_BYTES + recordSize(member);
  return size;
}

/** Bytes of a whole message, without transport and encryption. */
export function messageSize(message: Request | Answer): number {
  switch (message.type) {
    case "ping":
    case "indirect-ping":
    case "rumours":
    case "nack":
      return MESSAGE_BYTES + updatesSize(message.updates);
    case "ack":
      return MESSAGE_BYTES + updatesSize(message.updates) + (message.coordinate === null ? 0 : COORDINATE_BYTES);
    case "push-pull":
    case "push-pull-answer":
      return MESSAGE_BYTES + stateSize(message.state);
    case "who-holds":
    case "holder":
      return MESSAGE_BYTES;
    case "refused":
      return MESSAGE_BYTES + textSize(message.text);
  }
}
