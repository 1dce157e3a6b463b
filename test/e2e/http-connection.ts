// One connection to an agent, one request at a time: whether an answer came is all that counts here.
import { Agent, request } from "node:http";
import { parseJson } from "../../src/util/json.ts";

export interface Received {
  readonly status: number;
  readonly text: string;
  /** `X-Consul-Index`, 0 without one. */
  readonly index: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into it as they like
  json(): any;
}

const ANSWER_MS = 20_000;

export class HttpConnection {
  readonly #port: number;
  readonly #host: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(port: number, host = "127.0.0.1") {
    this.#port = port;
    this.#host = host;
  }

  /** @throws Error when no whole answer comes: what was asked for may have happened or not. */
  send(method: string, path: string, body = ""): Promise<Received> {
    return new Promise((resolve, reject) => {
      const bytes = Buffer.from(body);
      const sent = request(
        {
          host: this.#host,
          port: this.#port,
          method,
          path,
          agent: this.#agent,
          timeout: ANSWER_MS,
          headers: { "Content-Length": bytes.length },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            if (!response.complete) {
              reject(new Error("the answer was cut short"));
              return;
            }
            const text = Buffer.concat(chunks).toString();
            resolve({
              status: response.statusCode ?? 0,
              text,
              index: Number(response.headers["x-consul-index"] ?? 0),
              json: () => parseJson(text),
            });
          });
        },
      );
      sent.on("timeout", () => sent.destroy(new Error("no answer")));
      sent.on("error", reject);
      sent.end(bytes);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
