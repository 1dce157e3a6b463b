// The one place that says an operational error as Consul's HTTP API would: status by code, the message as the body.
import { type ErrorCode, OperationalError } from "../types/error.ts";
import { type Reply, textReply } from "./reply.ts";

/** Consul answers most refusals with 500 and the bare message; the codes that have a status of their own are here. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  "invalid-request": 400,
  "not-found": 404,
  "method-not-allowed": 405,
  "payload-too-large": 413,
  "permission-denied": 403,
  "rate-limited": 429,
  conflict: 409,
  "shutting-down": 503,
};

/** An operational error that is answered with headers of its own. */
export class HttpError extends OperationalError {
  readonly headers: readonly string[];
  constructor(error: OperationalError, headers: readonly string[]) {
    super(error.code, error.message, { cause: error, ...(error.status === undefined ? {} : { status: error.status }) });
    this.headers = headers;
  }
}

/** The status that `error` is answered with. */
const statusOf = (error: OperationalError): number => error.status ?? STATUS[error.code] ?? 500;

/** The answer for anything thrown while handling a request. Bugs are answered with 500 too, and told to `report`. */
export function errorReply(error: unknown, report: (error: unknown) => void): Reply {
  if (error instanceof OperationalError)
    return textReply(statusOf(error), error.message, error instanceof HttpError ? error.headers : []);
  report(error);
  return textReply(500, "Internal error: the agent's log has the details");
}
