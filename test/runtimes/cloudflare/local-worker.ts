// A Worker in workerd, made as wrangler would deploy it, for tests that ask it over HTTP.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Miniflare } from "miniflare";
import { childEnvironment } from "../../conformance/agent-process.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** The Worker as it is deployed. */
export const PRODUCT = "runtimes/cloudflare/index.ts";
/** The same with an object that can be ended. */
export const HARNESS = "test/runtimes/cloudflare/harness.ts";

/** What wrangler makes of a Worker. */
export interface Bundle {
  readonly code: string;
  /** What wrangler said. */
  readonly said: string;
}

/** Builds a Worker by `wrangler deploy --dry-run`. */
export async function bundle(main: string = PRODUCT): Promise<Bundle> {
  const dir = mkdtempSync(join(tmpdir(), "proconsul-worker-"));
  try {
    const program = join(root, "node_modules/.bin/wrangler");
    const words = ["deploy", main, "--dry-run", "--outdir", dir];
    const environment = childEnvironment({ WRANGLER_SEND_METRICS: "false", CI: "1" });
    const { stdout } = await promisify(execFile)(program, words, { cwd: root, env: environment });
    const name = main.split("/").at(-1) as string;
    return { code: readFileSync(join(dir, name.replace(/\.ts$/, ".js")), "utf8"), said: stdout };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What a Worker is run with. */
export interface LocalWorkerOptions {
  code: string;
  /** Variables and secrets. */
  bindings?: Record<string, string>;
  /** A folder that outlives it; one of its own, when absent. */
  dir?: string;
}

/** A running Worker. */
export class LocalWorker {
  readonly base: string;
  readonly #miniflare: Miniflare;
  readonly #ownDir: string | null;

  private constructor(miniflare: Miniflare, base: string, ownDir: string | null) {
    this.#miniflare = miniflare;
    this.base = base;
    this.#ownDir = ownDir;
  }

  static async start({ code, bindings = {}, dir }: LocalWorkerOptions): Promise<LocalWorker> {
    const ownDir = dir === undefined ? mkdtempSync(join(tmpdir(), "proconsul-objects-")) : null;
    const miniflare = new Miniflare({
      modules: [{ type: "ESModule", path: "worker.js", contents: code }],
      compatibilityDate: "2026-04-01",
      compatibilityFlags: ["enable_request_signal"],
      host: "127.0.0.1",
      port: 0,
      durableObjects: { DATACENTER: { className: "DatacenterObject", useSQLite: true } },
      durableObjectsPersist: dir ?? (ownDir as string),
      bindings: { DATACENTERS: "dc1", ...bindings },
    });
    const url = await miniflare.ready;
    return new LocalWorker(miniflare, url.origin, ownDir);
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(this.base + path, init);
  }

  async text(path: string, init?: RequestInit): Promise<string> {
    return (await this.fetch(path, init)).text();
  }

  async json<T>(path: string, init?: RequestInit): Promise<T> {
    return (await this.fetch(path, init)).json() as Promise<T>;
  }

  put(path: string, body: unknown = ""): Promise<Response> {
    return this.fetch(path, { method: "PUT", body: typeof body === "string" ? body : JSON.stringify(body) });
  }

  /** Ends the object at once, as an eviction does: the next request makes another one. */
  async evict(): Promise<void> {
    await this.text("/test/evict").catch(() => "");
  }

  /** Ends workerd. */
  async stop(): Promise<void> {
    await this.#miniflare.dispose();
    if (this.#ownDir !== null) rmSync(this.#ownDir, { recursive: true, force: true });
  }
}
