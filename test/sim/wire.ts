// What servers say to each other, read off the wire.
import { decodeMessage } from "../../src/codec/raft-message.ts";
import type { Message } from "../../src/raft/types.ts";
import { decodeReply, decodeRequest } from "../../src/rpc/envelope.ts";
import { MESSAGE_PATH } from "../../src/rpc/message-sender.ts";
import type { Said } from "./types.ts";

const LENGTH_BYTES = 4;
/** The byte for the type of a message with entries, and where its term is. */
const ENTRIES = 2;
const TERM_AT = 1;
const TWO_32 = 0x1_0000_0000;

const uint32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

/** The messages of Raft in a call or its answer; none when it is about something else. Entries are not read: they are many. */
export function raftMessages(path: string, bytes: Uint8Array, isReply: boolean): Said["message"][] {
  if (path !== MESSAGE_PATH) return [];
  let body: Uint8Array;
  try {
    body = isReply ? decodeReply(bytes) : decodeRequest(bytes).body;
  } catch {
    // An error is an answer too.
    return [];
  }
  const messages: Said["message"][] = [];
  for (let at = 0; at + LENGTH_BYTES < body.length;) {
    const length = uint32(body, at);
    const from = at + LENGTH_BYTES;
    if (body[from] === ENTRIES) {
      const term = uint32(body, from + TERM_AT) * TWO_32 + uint32(body, from + TERM_AT + LENGTH_BYTES);
      messages.push({ type: "entries", term });
    } else {
      const message: Message | null = decodeMessage(body.subarray(from, from + length));
      if (message !== null) messages.push(message);
    }
    at = from + length;
  }
  return messages;
}
