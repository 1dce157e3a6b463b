// Why a connection could not be made, in the words that Go uses and that Consul's users know.
import { OperationalError } from "../../src/types/error.ts";
import { reasonOf } from "../../src/util/reason-of.ts";

/** What Go says of the commonest failures. */
const DIAL_WHY: Record<string, string> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ENOTFOUND: "no such host",
};

/** The error of a connection to `host:port` that was never made. */
export function dialError(address: string, error: NodeJS.ErrnoException): OperationalError {
  const code = codeOf(error);
  const why = DIAL_WHY[code] ?? reasonOf(error);
  return new OperationalError("unreachable", `dial tcp ${address}: ${why}`, {
    cause: error,
    isRefused: code === "ECONNREFUSED",
  });
}

/** Of several addresses of one name each may have failed; they count as refused when all were. */
function codeOf(error: NodeJS.ErrnoException): string {
  const { errors } = error as { errors?: unknown };
  if (!Array.isArray(errors) || errors.length === 0) return error.code ?? "";
  const codes = new Set(errors.map((each) => (each as NodeJS.ErrnoException).code ?? ""));
  return codes.size === 1 ? ([...codes][0] as string) : "";
}

/** The error of a connection that took too long. */
export function dialTimeout(address: string): OperationalError {
  return new OperationalError("timeout", `dial tcp ${address}: i/o timeout`);
}
