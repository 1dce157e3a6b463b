// What each command does: one switch, leaves in the files of their nouns.

import { unreachable } from "../util/assert.ts";
import { deregister, register } from "./catalog.ts";
import type { Command, CommandResult, Refusal } from "./command.ts";
import { autopilotSet, configDelete, configSet } from "./config-entry.ts";
import { coordinateUpdate } from "./coordinate.ts";
import { federationSet, replicate } from "./federation.ts";
import type { IndexTable } from "./index-table.ts";
import { kvCas, kvDelete, kvDeleteCas, kvDeleteTree, kvLock, kvSet, kvUnlock } from "./kv.ts";
import { kvForget, kvReplicate } from "./kv-replicate.ts";
import { queryDelete, querySet } from "./prepared-query.ts";
import { endSessions, sessionCreate, sessionDestroy } from "./session.ts";
import { stampWrites } from "./stamp.ts";
import type { Transaction } from "./transaction.ts";
import { runTxn } from "./txn.ts";

/** Applies a command; a refusal or a failed transaction leaves no change. */
export function applyCommand(tx: Transaction, topics: IndexTable, command: Command): CommandResult {
  const result = dispatch(tx, topics, command);
  if (result.ok) {
    endSessions(tx);
    // What came from elsewhere has its stamps already.
    if (tx.tables.federation.twoWay.length > 0 && command.type !== "kv.replicate") stampWrites(tx, command.atMs ?? 0);
  } else tx.rollback();
  return result;
}

function dispatch(tx: Transaction, topics: IndexTable, command: Command): CommandResult {
  switch (command.type) {
    case "kv.set":
      kvSet(tx, command.key, command.value, command.flags);
      return done(true);
    case "kv.cas":
      return done(kvCas(tx, command.key, command.value, command.flags, command.index) !== null);
    case "kv.lock":
      return written(kvLock(tx, command.key, command.value, command.flags, command.session, command.seen));
    case "kv.unlock":
      return written(kvUnlock(tx, command.key, command.value, command.flags, command.session));
    case "kv.delete":
      kvDelete(tx, command.key);
      return done(true);
    case "kv.delete-cas":
      return done(kvDeleteCas(tx, command.key, command.index));
    case "kv.delete-tree":
      kvDeleteTree(tx, command.prefix);
      return done(true);
    case "catalog.register":
      return unless(register(tx, command), true);
    case "catalog.deregister":
      deregister(tx, command);
      return done(true);
    case "session.create":
      return unless(sessionCreate(tx, command.session), command.session.ID);
    case "session.destroy":
      sessionDestroy(tx, command.id);
      return done(true);
    case "query.set":
      return unless(querySet(tx, command.query), command.query.ID);
    case "query.delete":
      queryDelete(tx, command.id);
      return done(true);
    case "config.set": {
      const outcome = configSet(tx, command.entry, command.cas);
      return typeof outcome === "boolean" ? done(outcome) : { ok: false, error: outcome };
    }
    case "config.delete":
      return done(configDelete(tx, command.kind, command.name, command.cas));
    case "coordinate.update":
      coordinateUpdate(tx, command.updates);
      return done(true);
    case "autopilot.set":
      return done(autopilotSet(tx, command.config, command.cas));
    case "txn": {
      const outcome = runTxn(tx, command.operations);
      if (outcome.Errors !== null) tx.rollback();
      return done(outcome);
    }
    case "tombstone.reap":
      return done(tx.tables.kv.reap(command.index) + topics.reap(command.index));
    case "federation.set":
      return done(federationSet(tx, command));
    case "replicate":
      return replicate(tx, command);
    case "kv.replicate":
      return done(kvReplicate(tx, command));
    case "kv.forget":
      return done(kvForget(tx, command.beforeMs));
    default:
      return unreachable(command);
  }
}

function done(value: (CommandResult & { ok: true })["value"]): CommandResult {
  return { ok: true, value };
}

function unless(refusal: Refusal | null, value: true | string): CommandResult {
  return refusal === null ? done(value) : { ok: false, error: refusal };
}

/** The result of a lock verb: null means that it was not its holder who asked. */
function written(outcome: object | null): CommandResult {
  if (outcome !== null && "code" in outcome) return { ok: false, error: outcome as Refusal };
  return done(outcome !== null);
}
