// A feature flag: a key that holds JSON, followed in memory, so that asking costs nothing and goes on working when every
// server is gone. `bun examples/feature-flag/flag.ts` and `deno serve -A examples/feature-flag/flag.ts` serve it.
import { createClient, json } from "proconsul/client";

interface Flag {
  on: boolean;
  /** Of a hundred visitors, so many get it; all when not given. */
  percent?: number;
}

const { process } = globalThis as { process?: { env: Record<string, string | undefined> } };
const consul = createClient({ address: process?.env.CONSUL_HTTP_ADDR ?? "http://127.0.0.1:8500" });

/** What is in the key may be anything: what is no flag leaves the flag as it was. */
const flag = consul.kv.follow(
  "flags/new-checkout",
  json((value): Flag => {
    const { on, percent } = value as Flag;
    if (typeof on !== "boolean") throw new TypeError('"on" must be true or false');
    return { on, percent: typeof percent === "number" ? percent : 100 };
  }),
);

/** The same visitor always gets the same. */
function isOn({ on, percent = 100 }: Flag, visitor: string): boolean {
  let hash = 0;
  for (const letter of visitor) hash = (Math.imul(hash, 31) + (letter.codePointAt(0) ?? 0)) >>> 0;
  return on && hash % 100 < percent;
}

export default {
  async fetch(request: Request): Promise<Response> {
    // Off until it is known: a start while every server is gone is no reason to fail.
    const { value, ageMs, stale } = await flag.ready().catch(() => flag.lookup());
    const visitor = new URL(request.url).searchParams.get("visitor") ?? "";
    const checkout = value !== null && isOn(value, visitor) ? "new" : "old";
    return Response.json({ checkout, stale, ageMs: Number.isFinite(ageMs) ? Math.round(ageMs) : null });
  },
};
