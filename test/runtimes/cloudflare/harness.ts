// The Worker with an object that can be told to end: what a test does to a datacenter from outside, and what in production the
// platform does.
import { DatacenterObject as Product } from "../../../runtimes/cloudflare/object.ts";
import type { ObjectState, SqlStorage } from "../../../runtimes/cloudflare/object-state.ts";
import type { Environment } from "../../../runtimes/cloudflare/settings.ts";
import worker from "../../../runtimes/cloudflare/index.ts";

/** How often the classes below were made, and what the last one is to do, by datacenter: outlasts an instance, not the process. */
const instances = new Map<string, number>();
let crashAfter = Number.POSITIVE_INFINITY;

/** Ends itself at `/test/evict`, and at the n-th statement after `/test/crash?after=n`. */
export class DatacenterObject extends Product {
  readonly #state: ObjectState;
  readonly #made: number;

  constructor(state: ObjectState, environment: Environment) {
    super({ ...facade(state), storage: watched(state) }, environment);
    this.#state = state;
    const name = String(state.id);
    this.#made = (instances.get(name) ?? 0) + 1;
    instances.set(name, this.#made);
  }

  override async alarm(): Promise<void> {
    await super.alarm();
    const name = String(this.#state.id);
    rung.set(name, (rung.get(name) ?? 0) + 1);
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    switch (pathname) {
      case "/test/evict":
        this.#state.abort("evicted by a test");
        return new Response();
      case "/test/crash":
        crashAfter = Number(searchParams.get("after"));
        return new Response();
      case "/test/instances":
        return Response.json(this.#made);
      case "/test/alarm":
        return Response.json({ at: await this.#state.storage.getAlarm(), rung: rung.get(String(this.#state.id)) ?? 0 });
      case "/test/ring":
        await this.alarm();
        return new Response();
      default:
        return super.fetch(request);
    }
  }
}

/** How often an alarm has gone off and was dealt with, by object. */
const rung = new Map<string, number>();

function facade(state: ObjectState): ObjectState {
  return { storage: state.storage, id: state.id, abort: (reason) => state.abort(reason) };
}

/** The storage, with the power cut in the middle of what is written. */
function watched(state: ObjectState): ObjectState["storage"] {
  const { storage } = state;
  const sql: SqlStorage = {
    exec(query, ...bindings) {
      if (--crashAfter < 0) {
        crashAfter = Number.POSITIVE_INFINITY;
        state.abort("the power is cut");
      }
      return storage.sql.exec(query, ...bindings);
    },
    get databaseSize() {
      return storage.sql.databaseSize;
    },
  };
  return {
    sql,
    transactionSync: (run) => storage.transactionSync(run),
    getAlarm: () => storage.getAlarm(),
    setAlarm: (at) => storage.setAlarm(at),
    deleteAlarm: () => storage.deleteAlarm(),
  };
}

export default worker;
