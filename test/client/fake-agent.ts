// A `fetch` that answers from a table and remembers what it was asked, for tests of the client and of the command line.
export interface Asked {
  /** "GET /v1/kv/a?recurse=" */
  line: string;
  method: string;
  url: URL;
  headers: Headers;
  body: string;
  bytes: Uint8Array;
  signal: AbortSignal | null;
}
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** A string is sent as it is, anything else as JSON. */
  body?: unknown;
}
export type Responder = (asked: Asked) => Answer | Response | Promise<Answer | Response>;

export class FakeAgent {
  readonly asked: Asked[] = [];
  readonly #answer: Responder;
  constructor(answer: Responder | Record<string, Answer | unknown[] | string>) {
    this.#answer = typeof answer === "function" ? answer : fromTable(answer);
  }
  readonly fetch = async (input: string, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(input);
    const method = init.method ?? "GET";
    const bytes = new Uint8Array(await new Response(init.body ?? null).arrayBuffer());
    const line = `${method} ${url.pathname}${url.search}`;
    const body = new TextDecoder().decode(bytes);
    const signal = init.signal ?? null;
    const asked: Asked = { line, method, url, headers: new Headers(init.headers), body, bytes, signal };
    this.asked.push(asked);
    const answer = await this.#answer(asked);
    if (answer instanceof Response) return answer;
    const { status = 200, headers = {}, body: sent = "" } = answer;
    const text = typeof sent === "string" || sent instanceof Uint8Array ? sent : JSON.stringify(sent);
    return new Response(text as BodyInit, { status, headers });
  };
  get lines(): string[] {
    return this.asked.map(({ line }) => line);
  }
}

/** Answers by "METHOD /path?query", or without its query; a value that is not an Answer is its body. */
function fromTable(table: Record<string, Answer | unknown[] | string>): Responder {
  return ({ line }) => {
    const answer = table[line] ?? table[line.replace(/\?.*/, "")];
    if (answer === undefined) return { status: 404, body: `no answer for ${line}` };
    return typeof answer === "string" || Array.isArray(answer) ? { body: answer } : answer;
  };
}

/** An answer that never comes, until the request is aborted. */
export function never({ signal }: Asked): Promise<Response> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason as Error));
  });
}
