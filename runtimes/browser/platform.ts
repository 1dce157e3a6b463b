// The platform of an agent in a page, a worker or a service worker. It calls and is not called: to the others it is a leaf.
import { atLeast, formatText } from "../../src/agent/logs.ts";
import { MemoryLogStore } from "../../src/host/memory-store.ts";
import type { Blobs, Cipher, LogLevel, LogStore, Peers, Platform, ReportEvent } from "../../src/platform.ts";
import { OperationalError } from "../../src/types/error.ts";
import { webCipher } from "./cipher.ts";

/** What the platform is made with. */
export interface BrowserPlatformOptions {
  blobs: Blobs;
  /** Where a call to the agent at an address goes: pages may only call what lets them. */
  peerUrl(address: string, path: string): string;
  logLevel: LogLevel;
  /** Called when the one timer goes off. */
  wake(): void;
}

/** Timers longer than this overflow `setTimeout`; waking early is harmless. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Clocks, the one timer, and calls by `fetch`. */
export class BrowserPlatform implements Platform {
  /** A client agent has no log. */
  readonly log: LogStore = new MemoryLogStore();
  readonly blobs: Blobs;
  readonly cipher: Cipher = webCipher;
  readonly peers: Peers;
  readonly report: (event: ReportEvent) => void;
  readonly #wake: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ blobs, peerUrl, logLevel, wake }: BrowserPlatformOptions) {
    this.blobs = blobs;
    this.peers = { call: (address, path, body, timeoutMs) => call(peerUrl(address, path), address, body, timeoutMs) };
    this.report = (event) => {
      if (event.type === "log" && atLeast(event.level, logLevel)) console.log(formatText(event, Date.now()));
    };
    this.#wake = wake;
  }

  now(): number {
    return performance.now();
  }

  wall(): number {
    return Date.now();
  }

  wakeAt(at: number | null): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (at === null) return;
    const delay = Math.max(0, Math.ceil(at - performance.now()));
    this.#timer = setTimeout(() => this.#wake(), Math.min(delay, TIMER_MAX_MS));
  }

  random(length: number): Uint8Array<ArrayBuffer> {
    return crypto.getRandomValues(new Uint8Array(length));
  }

  fetch(request: Request): Promise<Response> {
    return fetch(request);
  }
}

async function call(url: string, address: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
  try {
    const response = await fetch(url, {
      method: "POST",
      body: body as Uint8Array<ArrayBuffer>,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.ok) return bytes;
    throw new OperationalError("outcome-unknown", `${address}: it answered ${response.status}`);
  } catch (error) {
    if (error instanceof OperationalError) throw error;
    // A browser does not say whether anything was sent.
    const isTimeout = (error as Error).name === "TimeoutError";
    const code = isTimeout ? "timeout" : "outcome-unknown";
    throw new OperationalError(code, `${address}: ${isTimeout ? "no answer in time" : String(error)}`, {
      cause: error,
    });
  }
}
