// A datacenter as one Durable Object, named by it: an ordinary agent as the only voter of its group, its log and its state in
// the object's SQLite. The platform keeps one instance of it at a time and lets no answer out before what was written
// for it is durable; between requests the object sleeps, and its alarm wakes it for what is due.
import { WebRequest } from "../../src/http/web-request.ts";
import { createAgent, type Reply, type RunningAgent, toResponse } from "../../src/index.ts";
import { OperationalError } from "../../src/types/error.ts";
import { uuid } from "../../src/util/bytes.ts";
import { answerDns, DNS_PATH } from "./dns.ts";
import type { ObjectState, SqlStorage } from "./object-state.ts";
import { DATACENTER_HEADER, isCallPath, serveCall } from "./peers.ts";
import { ObjectPlatform } from "./platform.ts";
import { readMeta, writeMeta } from "./schema.ts";
import { configOf, type Environment } from "./settings.ts";

/** How long after the last request the timer is dropped: what was asked for may have work to do after its answer. */
const IDLE_MS = 1000;
/** How long an alarm's work may take: the platform ends it after 15 minutes. */
const ALARM_MS_MAX = 5 * 60_000;
/** Requests that come by no network: `wrangler dev`. */
const LOCAL = "127.0.0.1";

type Chunk = Uint8Array<ArrayBuffer>;

/** A request whose answer is not compressed: the edge does that, once, for who takes it. */
class ObjectRequest extends WebRequest {
  override header(name: string): string | null {
    return name === "accept-encoding" ? null : super.header(name);
  }
}

/** The class to bind as `DATACENTER`. */
export class DatacenterObject {
  readonly #state: ObjectState;
  readonly #environment: Environment;
  #platform: ObjectPlatform | null = null;
  #starting: Promise<RunningAgent> | null = null;
  #inFlight = 0;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  /** Called when nothing is under way any more. */
  #quiet: (() => void) | null = null;

  /** Costs nothing: it runs at each waking, before anything is asked. */
  constructor(state: ObjectState, environment: Environment) {
    this.#state = state;
    this.#environment = environment;
  }

  /** Answers a request of the Worker. */
  async fetch(request: Request): Promise<Response> {
    this.#enter();
    let isStreamed = false;
    try {
      const running = await this.#started(request.headers.get(DATACENTER_HEADER));
      const answer = await this.#answer(running, request);
      if (answer instanceof Response) return answer;
      if (!(answer.body instanceof ReadableStream)) return toResponse(answer);
      isStreamed = true;
      return toResponse({ ...answer, body: answer.body.pipeThrough(this.#untilRead(request.signal)) });
    } finally {
      if (!isStreamed) this.#exit();
    }
  }

  /** Does what is due. The platform may call it late, early, or twice for one alarm. */
  async alarm(): Promise<void> {
    this.#enter();
    try {
      const { agent } = await this.#started(null);
      try {
        this.#platform?.alarmRang();
        agent.wake();
        await this.#untilQuiet();
      } finally {
        agent.timers.setAlarm();
      }
    } finally {
      this.#exit();
    }
  }

  #answer(running: RunningAgent, request: Request): Response | Reply | Promise<Response | Reply> {
    const { pathname, search } = new URL(request.url);
    const from = request.headers.get("cf-connecting-ip") ?? LOCAL;
    if (isCallPath(pathname)) return serveCall(running.gateway, request, pathname, from);
    if (pathname === DNS_PATH) return answerDns(running.dns, request, from);
    if (search.includes("consistent")) this.#platform?.barrier();
    return running.handle(new ObjectRequest(request, () => from));
  }

  /** The agent, started when it is not there: once, however many ask. */
  #started(datacenter: string | null): Promise<RunningAgent> {
    this.#starting ??= this.#start(datacenter).catch((error: unknown) => {
      // The next one who asks tries anew.
      this.#starting = null;
      throw error;
    });
    return this.#starting;
  }

  async #start(asked: string | null): Promise<RunningAgent> {
    const { storage } = this.#state;
    let running: RunningAgent | null = null;
    const platform = new ObjectPlatform({
      storage,
      objects: this.#environment.DATACENTER,
      wake: () => running?.wake(),
      busyChanged: () => this.#look(),
    });
    await platform.readAlarm();
    const datacenter = kept(storage.sql, "datacenter", () => asked);
    const settings = configOf(this.#environment, datacenter);
    platform.logLevel = settings.logLevel;
    const nodeId = settings.nodeId || kept(storage.sql, "node-id", () => uuid(platform.random(16)));
    const config = { ...settings, nodeId };
    const stopped = (): void => this.#state.abort("the agent has stopped: the log says why");
    running = await createAgent({ config, platform, stopped });
    this.#platform = platform;
    // A timer that went off while the agent was being made is not lost.
    running.wake();
    return running;
  }

  /** Something is asked of it: its timer runs. */
  #enter(): void {
    this.#inFlight += 1;
    clearTimeout(this.#idleTimer);
    this.#platform?.resume();
  }

  #exit(): void {
    this.#inFlight -= 1;
    this.#look();
  }

  /** Nothing is asked and nobody is called: soon the object may sleep. */
  #look(): void {
    clearTimeout(this.#idleTimer);
    const platform = this.#platform;
    if (platform?.busy !== true) this.#quiet?.();
    if (this.#inFlight > 0 || platform === null || platform.busy) return;
    this.#idleTimer = setTimeout(() => platform.pause(), IDLE_MS);
  }

  /** Waits until no call that this alarm made is under way. */
  #untilQuiet(): Promise<void> {
    if (this.#platform?.busy !== true) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ALARM_MS_MAX);
      this.#quiet = () => {
        clearTimeout(timer);
        this.#quiet = null;
        resolve();
      };
    });
  }

  /** A body that is being read is a request under way. */
  #untilRead(signal: AbortSignal): TransformStream<Chunk, Chunk> {
    let isOpen = true;
    const end = (): void => {
      if (isOpen) this.#exit();
      isOpen = false;
    };
    signal.addEventListener("abort", end, { once: true });
    return new TransformStream<Chunk, Chunk>({ flush: end });
  }
}

/** What was said when the object was first asked, and counts from then on. */
function kept(sql: SqlStorage, name: string, make: () => string | null): string {
  const before = readMeta(sql, name);
  if (typeof before === "string") return before;
  const made = make();
  if (made === null) throw new OperationalError("invalid-request", `the object has no ${name} yet`);
  writeMeta(sql, name, made);
  return made;
}
