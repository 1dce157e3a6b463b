// An HTTP answer as plain data, so that the same answer can be given to many clients and a runtime can write it without a
// `Response` in between.

export type ReplyBody = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;

/** Headers are a flat list, name then value, as they go on the wire. Replies are shared: never change one. */
export interface Reply {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: ReplyBody;
}

export const TEXT = "text/plain; charset=utf-8";
export const JSON_TYPE = "application/json";

/** On every `/v1` answer, as Consul has it with ACLs off. */
const POLICY: readonly string[] = ["Vary", "Accept-Encoding", "X-Consul-Default-Acl-Policy", "allow"];

/** A JSON body that is already text. */
export function jsonReply(body: string, headers: readonly string[] = [], status = 200): Reply {
  return { status, headers: ["Content-Type", JSON_TYPE, ...POLICY, ...headers], body };
}

export function textReply(status: number, body: string, headers: readonly string[] = []): Reply {
  return { status, headers: ["Content-Type", TEXT, "X-Content-Type-Options", "nosniff", ...POLICY, ...headers], body };
}

/** A 200 without a body, which Consul still calls JSON. */
export function emptyReply(headers: readonly string[] = []): Reply {
  return {
    status: 200,
    headers: ["Content-Type", "application/json; charset=utf-8", ...POLICY, ...headers],
    body: null,
  };
}

/** Anything else: the status, the headers as given and the policy header. */
export function reply(status: number, headers: readonly string[], body: ReplyBody): Reply {
  return { status, headers: [...headers, ...POLICY], body };
}

export const TRUE: Reply = jsonReply("true");
const FALSE: Reply = jsonReply("false");
export const boolReply = (value: boolean): Reply => (value ? TRUE : FALSE);

/** The reply as a web `Response`. */
export function toResponse({ status, headers, body }: Reply): Response {
  const list: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) list.push([headers[i] as string, headers[i + 1] as string]);
  return new Response(body, { status, headers: list });
}
