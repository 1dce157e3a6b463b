// Blocking queries: readers wait at all agents, in all modes, for changes of a key, a prefix and a service, while writers
// change them. What an answer must be is checked by ../check/watches.ts; the readers go on until they have seen the last
// change.
import type { Watches } from "../check/watches.ts";
import type { Sim, SimReply } from "../types.ts";
import { Clients, indexOf, rowsOf } from "./clients.ts";

const WRITERS = 2;
const READERS = 6;
const WAIT_MS = 8000;
const GRACE_MS = 12_000;
const HOSTS = ["web-host-1", "web-host-2", "web-host-3"];
const KEYS = ["watch/a", "watch/b", "watch/c"];
const STATES = ["passing", "warning", "critical"];
const MODES = ["", "", "&stale", "&stale", "&consistent"];

/** A question that readers ask, and its answer in short, in the words of check/watches.ts. */
interface Question {
  readonly name: string;
  readonly target: string;
  digest(reply: SimReply): string;
}

interface HealthRow {
  Node: { Node: string };
  Service: { ID: string; Port: number; ModifyIndex: number };
  Checks: { CheckID: string; Status: string; ModifyIndex: number }[];
}

const kvDigest = (reply: SimReply): string =>
  rowsOf(reply)
    .map(({ Key, ModifyIndex, Value }) => `${Key}@${ModifyIndex}=${Value}`)
    .join(" ");

const QUESTIONS: readonly Question[] = [
  ...KEYS.slice(0, 2).map((key) => ({ name: `kv ${key}`, target: `/v1/kv/${key}`, digest: kvDigest })),
  { name: "kv prefix watch/", target: "/v1/kv/watch/?recurse", digest: kvDigest },
  {
    name: "service web",
    target: "/v1/health/service/web",
    digest: (reply) =>
      (JSON.parse(reply.body) as HealthRow[])
        .map(({ Node, Service, Checks }) => {
          const checks = Checks.map((check) => `${check.CheckID}@${check.ModifyIndex}=${check.Status}`).sort();
          return `${Node.Node}/${Service.ID}@${Service.ModifyIndex}=${Service.Port} ${checks.join(",")}`;
        })
        .sort()
        .join(" "),
  },
];

export class Watching extends Clients {
  readonly name = "watch";
  readonly #watches: Watches;
  #values = 0;

  constructor(watches: Watches, pauseMs = 600) {
    super(WRITERS, pauseMs);
    this.#watches = watches;
  }

  override start(sim: Sim): void {
    super.start(sim);
    for (let at = 0; at < READERS; at += 1) this.run(() => this.#follow(at));
  }

  protected override async turn(): Promise<void> {
    const node = this.anyNode();
    this.#values += 1;
    const choice = this.random.below(10);
    if (choice < 4) await this.ask(node, "PUT", `/v1/kv/${this.pick(KEYS)}`, `${this.#values}`);
    else if (choice < 5) await this.ask(node, "DELETE", `/v1/kv/${this.pick(KEYS)}`);
    else if (choice < 9) {
      const host = this.pick(HOSTS);
      const body = {
        Node: host,
        Address: `10.8.0.${HOSTS.indexOf(host) + 1}`,
        Service: { ID: "web", Service: "web", Port: 1000 + (this.#values % 7) },
        Check: { CheckID: "web", ServiceID: "web", Name: "web", Status: this.pick(STATES) },
      };
      await this.ask(node, "PUT", "/v1/catalog/register", JSON.stringify(body));
    } else {
      const body = { Node: this.pick(HOSTS), ...(this.random.below(2) === 0 ? {} : { ServiceID: "web" }) };
      await this.ask(node, "PUT", "/v1/catalog/deregister", JSON.stringify(body));
    }
  }

  /** One reader: now here, now there; at last one question until its last change was seen, so that none is left out. */
  async #follow(reader: number): Promise<void> {
    await this.pause();
    while (!this.isStopped) await this.#stay(this.pick(QUESTIONS));
    const last = QUESTIONS[reader % QUESTIONS.length] as Question;
    while (!(await this.#stay(last)));
  }

  /** Follows one question at one agent for a while, or to the last change when no more come. @returns whether it saw that. */
  async #stay(question: Question): Promise<boolean> {
    const mode = this.pick(MODES);
    const node = this.anyNode();
    let times = 1 + this.random.below(12);
    let index = 0;
    for (;;) {
      const hasSeenAll = this.#watches.hasSeenAll(question.name, index);
      if (this.isStopped ? hasSeenAll : times <= 0) return hasSeenAll;
      times -= 1;
      const waitMs = this.pick([WAIT_MS, WAIT_MS / 4]);
      const query = index === 0 ? "" : `index=${index}&wait=${waitMs}ms`;
      const asked = this.#watches.begin(this.sim, question.name, node, mode, index, waitMs);
      const separator = question.target.includes("?") ? "&" : "?";
      const outcome = await this.ask(
        node,
        "GET",
        `${question.target}${separator}${query}${mode}`,
        undefined,
        waitMs + GRACE_MS,
      );
      if (typeof outcome === "string") {
        this.#watches.lost(asked);
        await this.sim.sleep(200 + this.random.float() * 500);
        // Nothing is to be learned from one that stays down: the others tell.
        if (!this.isStopped || !node.up) return false;
        continue;
      }
      const next = indexOf(outcome);
      this.#watches.answered(this.sim, asked, next, question.digest(outcome));
      // Whoever sees an index go back begins anew (https://developer.hashicorp.com/consul/api-docs/features/blocking).
      index = next < index ? 0 : next;
    }
  }

  override finish(): void {}
}
