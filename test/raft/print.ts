// How transcripts and failing seeds show entries, messages, inputs and effects: one short line each.
import type { Configuration, Entry, Message, Outgoing, RaftEffect, RaftInput } from "../../src/raft/types.ts";
import { decodeConfiguration } from "../../src/raft/configuration.ts";

const decoder = new TextDecoder();

export function printConfiguration({ servers }: Configuration): string {
  return servers.map(({ id, voter }) => (voter ? id : `(${id})`)).join(" ") || "nobody";
}

export function printEntry({ index, term, kind, data }: Entry): string {
  if (kind === "noop") return `${index}@${term} noop`;
  if (kind === "command") return `${index}@${term} ${decoder.decode(data)}`;
  const configuration = decodeConfiguration(data);
  return `${index}@${term} config ${configuration === null ? "unreadable" : printConfiguration(configuration)}`;
}

export function printEntries(entries: readonly Entry[]): string {
  return `[${entries.map(printEntry).join(", ")}]`;
}

export function printMessage(message: Message): string {
  const head = `${message.type} t${message.term}`;
  switch (message.type) {
    case "request-vote": {
      const flags = `${message.preVote ? " pre" : ""}${message.transfer ? " transfer" : ""}`;
      return `${head}${flags} last=${message.lastIndex}@${message.lastTerm}`;
    }
    case "vote-response":
      return `${head}${message.preVote ? " pre" : ""} ${message.granted ? "granted" : "refused"}`;
    case "append-entries": {
      const { prevIndex, prevTerm, commit, round, entries } = message;
      const what = entries.length === 0 ? "" : ` ${printEntries(entries)}`;
      return `${head} prev=${prevIndex}@${prevTerm} commit=${commit} round=${round}${what}`;
    }
    case "append-response": {
      const { round, success, index, hintIndex, hintTerm, lastIndex } = message;
      if (success) return `${head} round=${round} ok index=${index}`;
      return `${head} round=${round} refused index=${index} hint=${hintIndex}@${hintTerm} last=${lastIndex}`;
    }
    case "timeout-now":
      return head;
    case "read-index":
      return `${head} #${message.context % 2 ** 20}`;
    case "read-index-response":
      return `${head} #${message.context % 2 ** 20} ${message.index === null ? "refused" : `index=${message.index}`}`;
  }
}

export function printInput(input: RaftInput): string {
  switch (input.type) {
    case "message":
      return `from ${input.from}: ${printMessage(input.message)}`;
    case "propose":
      return `propose ${input.entries.map(({ ref, data }) => `${ref}:${decoder.decode(data)}`).join(" ")}`;
    case "bootstrap":
      return `bootstrap ${printConfiguration(input.configuration)}`;
    case "recover":
      return `recover after t${input.term}: ${printConfiguration(input.configuration)}`;
    case "persisted":
    case "persist-refused":
      return `${input.type} #${input.token}`;
    case "snapshot-taken":
      return `snapshot-taken ${input.snapshot.index}@${input.snapshot.term}`;
    case "snapshot-received":
      return `snapshot-received from ${input.from} t${input.term}: ${input.snapshot.index}@${input.snapshot.term}`;
    case "snapshot-sent":
      return `snapshot-sent ${input.peer} ${input.index} ${input.ok ? "ok" : "failed"}`;
    case "change":
      return `change ${input.ref}: ${input.change.kind} ${input.change.id}`;
    case "transfer":
      return `transfer ${input.ref}: to ${input.to ?? "the best"}`;
    case "read-index":
      return `read-index ${input.ref}`;
    case "unreachable":
      return `unreachable ${input.peer}`;
    default:
      return input.type;
  }
}

function printThen(then: readonly Outgoing[]): string {
  return then.map(({ to, message }) => `\n    then to ${to}: ${printMessage(message)}`).join("");
}

export function printEffect(effect: RaftEffect): string {
  switch (effect.type) {
    case "persist": {
      const hard =
        effect.hardState === null ? "" : ` term=${effect.hardState.term} vote=${effect.hardState.vote ?? "-"}`;
      const entries = effect.entries.length === 0 ? "" : ` ${printEntries(effect.entries)}`;
      return `persist #${effect.token}${hard}${entries}${printThen(effect.then)}`;
    }
    case "send":
      return `send to ${effect.to}: ${printMessage(effect.message)}`;
    case "accepted":
      return `accepted ${effect.refs.join(" ")} at ${effect.index}@${effect.term}`;
    case "rejected":
      return `rejected ${effect.refs.join(" ")}: ${effect.reason} (leader ${effect.leader ?? "-"})`;
    case "truncated":
      return `truncated from ${effect.fromIndex}${effect.lost ? " (lost)" : ""}`;
    case "commit":
      return `commit ${printEntries(effect.entries)}`;
    case "role":
      return `role ${effect.role} t${effect.term} leader ${effect.leader ?? "-"}`;
    case "configuration":
      return `configuration ${effect.index}: ${printConfiguration(effect.configuration)}`;
    case "read-ready":
      return `read-ready ${effect.refs.join(" ")} at ${effect.index}`;
    case "read-failed":
      return `read-failed ${effect.refs.join(" ")} (leader ${effect.leader ?? "-"})`;
    case "send-snapshot":
      return `send-snapshot to ${effect.to} t${effect.term}`;
    case "install-snapshot":
      return `install-snapshot #${effect.token} ${effect.snapshot.index}@${effect.snapshot.term}${printThen(effect.then)}`;
    case "snapshot-refused":
      return `snapshot-refused ${effect.index}`;
    case "compact":
      return `compact ${effect.index}@${effect.term}`;
    case "transfer-done":
      return `transfer-done ${effect.ref} (leader ${effect.leader})`;
    case "transfer-failed":
      return `transfer-failed ${effect.ref}`;
    case "peer-lost-data":
      return `peer-lost-data ${effect.peer}`;
  }
}
