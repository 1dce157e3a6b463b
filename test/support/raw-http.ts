// HTTP/1.1 as bytes, for tests of what a well-behaved client never sends, and of what exactly comes back.
import { connect, type Socket } from "node:net";

/** One answer on a connection. */
export interface RawAnswer {
  readonly status: number;
  /** As sent, first to last. */
  readonly headerLines: readonly string[];
  /** The value of a header, by its name in any case; null when absent. */
  header(name: string): string | null;
  readonly body: Buffer;
}

/** A connection that writes what it is told and reads answers. */
export class RawConnection {
  readonly socket: Socket;
  readonly #answers: RawAnswer[] = [];
  #unread = Buffer.alloc(0);
  #wake: () => void = () => {};
  #closed = false;

  /** @param port on 127.0.0.1 */
  constructor(port: number) {
    this.socket = connect({ host: "127.0.0.1", port });
    this.socket.setNoDelay(true);
    this.socket.on("data", (chunk: Buffer) => {
      this.#unread = Buffer.concat([this.#unread, chunk]);
      this.#parse();
      this.#wake();
    });
    this.socket.on("close", () => {
      this.#closed = true;
      this.#wake();
    });
    // A reset is an end like another: `closed` tells.
    this.socket.on("error", () => {});
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** True while the connection is open and has no answer that nobody took. */
  get pending(): boolean {
    return !this.#closed && this.#answers.length === 0;
  }

  /** Text is written as Latin-1: a character is a byte. */
  write(bytes: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** The next answer; null when the connection ended, or stayed silent for `withinMs`, before one was whole. */
  async next(withinMs = 10_000): Promise<RawAnswer | null> {
    await this.#until(() => this.#answers.length > 0, withinMs);
    return this.#answers.shift() ?? null;
  }

  /** True once the other side has closed; false when it has not within `withinMs`. */
  ended(withinMs = 10_000): Promise<boolean> {
    return this.#until(() => this.#closed, withinMs);
  }

  close(): void {
    this.socket.destroy();
  }

  async #until(holds: () => boolean, withinMs: number): Promise<boolean> {
    const deadline = performance.now() + withinMs;
    while (!holds() && !this.#closed) {
      const left = deadline - performance.now();
      if (left <= 0) break;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return holds();
  }

  #parse(): void {
    for (;;) {
      const end = this.#unread.indexOf("\r\n\r\n");
      if (end < 0) return;
      const [first, ...headerLines] = this.#unread.subarray(0, end).toString("latin1").split("\r\n") as [
        string,
        ...string[],
      ];
      const header = (name: string): string | null => {
        const line = headerLines.find((text) => text.toLowerCase().startsWith(`${name.toLowerCase()}:`));
        return line === undefined ? null : line.slice(name.length + 1).trim();
      };
      const found = bodyAt(this.#unread, end + 4, header);
      if (found === null) return;
      this.#unread = this.#unread.subarray(found.end);
      this.#answers.push({ status: Number(first.split(" ")[1]), headerLines, header, body: found.body });
    }
  }
}

function bodyAt(
  bytes: Buffer,
  from: number,
  header: (name: string) => string | null,
): { body: Buffer; end: number } | null {
  if (header("transfer-encoding")?.toLowerCase() !== "chunked") {
    const end = from + Number(header("content-length") ?? 0);
    return bytes.length < end ? null : { body: bytes.subarray(from, end), end };
  }
  const parts: Buffer[] = [];
  for (let at = from; ;) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return null;
    const length = Number.parseInt(bytes.subarray(at, line).toString("latin1"), 16);
    const end = line + 2 + length;
    if (bytes.length < end + 2) return null;
    if (length === 0) return { body: Buffer.concat(parts), end: end + 2 };
    parts.push(bytes.subarray(line + 2, end));
    at = end + 2;
  }
}

/** Writes `bytes` on a connection of its own and gives its first answer; null when there was none. */
export async function exchange(port: number, bytes: string | Uint8Array, withinMs?: number): Promise<RawAnswer | null> {
  const connection = new RawConnection(port);
  connection.write(bytes);
  const answer = await connection.next(withinMs);
  connection.close();
  return answer;
}

/** The bytes of a plain request; the target stands in it as it is given. */
export function requestBytes(method: string, target: string, body = "", headers: readonly string[] = []): string {
  const lines = [`${method} ${target} HTTP/1.1`, "Host: 127.0.0.1", ...headers];
  if (body !== "" || method === "PUT" || method === "POST")
    lines.push(`Content-Length: ${Buffer.byteLength(body, "latin1")}`);
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}
