// Sessions: https://developer.hashicorp.com/consul/api-docs/session.
import type { Session } from "../types/records.ts";
import { OperationalError } from "../types/error.ts";
import { parseDuration } from "../util/duration.ts";
import type { CommandEndpoint, Prepared, QueryEndpoint } from "./endpoint.ts";

const LOCK_DELAY_MAX_NS = 60e9;
const TTL_MAX_NS = 24 * 3600e9;
const NANOSECONDS_PER_MS = 1e6;

/** What a client may say of a session; the node and its serfHealth check are filled in where the request came in. */
export type SessionDraft = Omit<Session, "ID" | "CreateIndex" | "ModifyIndex" | "Behavior"> & { Behavior: string };

/** Creates a session and gives its ID. */
export const sessionCreate: CommandEndpoint<SessionDraft, string> = {
  kind: "command",
  name: "session.create",
  prepare(context, draft): Prepared<string> {
    const { Behavior, TTL } = draft;
    if (draft.Node === "") throw new OperationalError("refused", "Must provide Node");
    if (Behavior !== "" && Behavior !== "release" && Behavior !== "delete")
      throw new OperationalError("refused", `Invalid Behavior setting '${Behavior}'`);
    checkTtl(TTL, context.sessionTtlMinMs * NANOSECONDS_PER_MS);
    const ID = context.newId();
    const session = {
      ...draft,
      ID,
      Behavior: Behavior === "delete" ? ("delete" as const) : ("release" as const),
      LockDelay: Math.min(Math.max(0, draft.LockDelay), LOCK_DELAY_MAX_NS),
    };
    return {
      command: { type: "session.create", session },
      reply(result) {
        if (!result.ok) throw new OperationalError("refused", `apply failed: ${result.error.message}`);
        return ID;
      },
    };
  },
};

function checkTtl(ttl: string, minNs: number): void {
  if (ttl === "") return;
  let ns: number;
  try {
    ns = parseDuration(ttl);
  } catch (error) {
    throw new OperationalError("refused", `Session TTL '${ttl}' invalid: ${(error as Error).message}`);
  }
  if (ns !== 0 && (ns < minNs || ns > TTL_MAX_NS))
    throw new OperationalError("refused", `Invalid Session TTL '${ns}', must be between [${minNs / 1e9}s=24h0m0s]`);
}

/** Ends a session; one that is not there is no error. */
export const sessionDestroy: CommandEndpoint<string, true> = {
  kind: "command",
  name: "session.destroy",
  prepare(_context, id): Prepared<true> {
    return { command: { type: "session.destroy", id }, reply: () => true };
  },
};

/** Starts a session's TTL anew on the leader; null when there is no such session. Writes nothing. */
export const sessionRenew: CommandEndpoint<string, Session | null> = {
  kind: "command",
  name: "session.renew",
  prepare(context, id): Prepared<Session | null> {
    const session = context.state.session(id).value;
    if (session !== null) context.renewSession(session);
    return { answer: session };
  },
};

export const sessionInfo: QueryEndpoint<string, readonly Session[]> = {
  kind: "query",
  name: "session.info",
  run(state, id) {
    const { value, index, topics } = state.session(id);
    return { value: value === null ? [] : [value], index, topics };
  },
  key: (id) => `session.info:${id}`,
};

export const sessionsOfNode: QueryEndpoint<string, readonly Session[]> = {
  kind: "query",
  name: "session.node",
  run: (state, node) => state.nodeSessions(node),
  key: (node) => `session.node:${node}`,
};

export const sessionList: QueryEndpoint<null, readonly Session[]> = {
  kind: "query",
  name: "session.list",
  run: (state) => state.sessions(),
  key: () => "session.list",
};
