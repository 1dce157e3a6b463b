// What the decoders of service, check and proxy definitions share: both spellings of every field, and Consul's words for
// what it refuses.
import { decode, DecodeError, type Decoder, list } from "../util/decode.ts";
import { OperationalError } from "../types/error.ts";

/** Where a definition comes from: a request's body, or a file of the agent or of `services register`. */
export interface DefinitionOptions {
  source: "http" | "file";
}

/** Fields as `EnableTagOverride` or `enable_tag_override`, whatever their case; unknown ones are refused. */
export const strictFields: { strict: true; snakeCase: true } = { strict: true, snakeCase: true };

/** A list of blocks; in HCL one block alone is a list of one. */
export function blocks<T>(item: Decoder<T>): Decoder<T[]> {
  const many = list(item);
  return (value, path) => {
    const one = typeof value === "object" && value !== null && !Array.isArray(value);
    return many(one ? [value] : value, path);
  };
}

/** @throws OperationalError `invalid-request`: for a request with Consul's `Request decode failed: ...`. */
export function decodeDefinition<T>(decoder: Decoder<T>, raw: unknown, options: DefinitionOptions): T {
  try {
    return decode(decoder, raw);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const message = error.message + enterpriseSuffix(error.message);
    throw invalid(
      options.source === "http" ? `Request decode failed: ${message}` : message.replace(/^json: /, ""),
      error,
    );
  }
}

function enterpriseSuffix(message: string): string {
  const field = /unknown field "(namespace|partition)"$/i.exec(message)?.[1]?.toLowerCase();
  if (field === undefined) return "";
  return ` - ${field === "namespace" ? "Namespaces" : "Partitions"} are a Consul Enterprise feature`;
}

/** The error for a definition that is refused. */
export function invalid(message: string, cause?: unknown): OperationalError {
  return new OperationalError("invalid-request", message, cause === undefined ? {} : { cause });
}

/** Several faults as one text, in the layout that Consul's answers have. */
export function faultList(faults: readonly string[]): string {
  const count = faults.length === 1 ? "1 error" : `${faults.length} errors`;
  return `${count} occurred:\n${faults.map((fault) => `\t* ${fault}\n`).join("")}\n`;
}
