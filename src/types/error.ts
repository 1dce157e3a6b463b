// The one class of operational errors. They cross agents by `code`, never by their text; `http/errors` alone decides how
// Consul would have said it. Bugs are not errors of this class: they are failed assertions.

export type ErrorCode =
  /** The request is malformed or refused for what it says: Consul's 400. */
  | "invalid-request"
  /** Consul answers 500 with this message where others would say 400 (bad KV key, unknown node, bad session). */
  | "refused"
  | "not-found"
  | "method-not-allowed"
  | "payload-too-large"
  | "permission-denied"
  | "rate-limited"
  | "conflict"
  /** Something this build or this runtime does not have; the message names it. */
  | "unsupported"
  | "no-leader"
  | "not-leader"
  /** What only the primary datacenter takes came to another one: nothing was done. */
  | "not-primary"
  /** Nobody here knows a datacenter of that name. */
  | "no-path-to-datacenter"
  /** The datacenter is known, but none of its servers answers: nothing was done there. */
  | "datacenter-unreachable"
  | "unreachable"
  | "timeout"
  | "disk-full"
  | "storage-failed"
  /** A proposal was lost with its leader: it may or may not be applied later. */
  | "outcome-unknown"
  | "shutting-down";

export interface ErrorOptions {
  cause?: unknown;
  /** The exact HTTP status when it is not the code's own. */
  status?: number;
  /** Of `unreachable`: the other side said at once that nobody listens there. */
  isRefused?: boolean;
  /** The agent that was asked said so: it is no fault of the way to it. */
  isAnswer?: boolean;
}

export class OperationalError extends Error {
  override readonly name: string = "OperationalError";
  readonly code: ErrorCode;
  readonly status: number | undefined;
  readonly isRefused: boolean;
  readonly isAnswer: boolean;
  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.isRefused = options.isRefused === true;
    this.isAnswer = options.isAnswer === true;
  }
}
