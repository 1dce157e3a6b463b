// How transcripts and traces show updates, messages and effects: one short line each.
import type { Answer, GossipEffect, MemberRow, Request, Update } from "../../src/gossip/types.ts";

export function printUpdate(update: Update): string {
  switch (update.type) {
    case "alive":
      return `alive:${update.member.name}@${update.incarnation}`;
    case "suspect":
    case "dead":
      return `${update.type}:${update.name}@${update.incarnation}:${update.from}`;
    case "join-intent":
      return `join:${update.name}@${update.time}`;
    case "leave-intent":
      return `leave:${update.name}@${update.time}${update.prune ? ":prune" : ""}`;
    case "user-event":
      return `event:${update.name}@${update.time}`;
  }
}

const printUpdates = (updates: readonly Update[]): string => `[${updates.map(printUpdate).join(" ")}]`;

function printRow({ member, incarnation, state, leaving, time }: MemberRow): string {
  return `${member.name}@${incarnation} ${state}${leaving ? " leaving" : ""}${time > 0 ? ` t${time}` : ""}`;
}

export function printMessage(message: Request | Answer): string {
  switch (message.type) {
    case "ping":
      return `ping ${message.target} ${printUpdates(message.updates)}`;
    case "indirect-ping":
      return `indirect-ping ${message.target} within ${message.timeoutMs} ${printUpdates(message.updates)}`;
    case "rumours":
    case "ack":
    case "nack":
      return `${message.type} ${printUpdates(message.updates)}`;
    case "push-pull":
    case "push-pull-answer": {
      const { members, time, eventTime, events } = message.state;
      const rows = members.map(printRow).join(", ");
      return `${message.type} {${rows}; t${time} e${eventTime} ${printUpdates(events)}}`;
    }
    case "who-holds":
      return `who-holds ${message.name}`;
    case "holder":
      return `holder ${message.address ?? "nobody"}`;
    case "refused":
      return `refused ${message.reason}: ${message.text}`;
  }
}

export function printEffect(effect: GossipEffect): string {
  switch (effect.type) {
    case "call":
      return `call #${effect.id} ${effect.to} ${printMessage(effect.message)} (${Math.round(effect.timeoutMs)} ms)`;
    case "respond":
      return `respond #${effect.id} ${printMessage(effect.message)}`;
    case "member":
      return `member ${effect.event} ${effect.member.name}@${effect.member.incarnation} ${effect.member.status}`;
    case "user-event":
      return `user-event ${effect.name}@${effect.time}`;
    case "joined":
      return `joined ${effect.ref}: ${effect.contacted}${effect.failures.map(({ address, reason }) => `, ${address} ${reason}`).join("")}`;
    case "left":
      return "left";
    case "done":
      return `done ${effect.ref}`;
    case "rejected":
      return `rejected ${effect.ref} ${effect.reason}`;
    case "name-conflict":
      return `name-conflict ${effect.name} ${effect.address} ${effect.otherAddress}`;
    case "name-lost":
      return `name-lost ${effect.address}`;
  }
}
