// A handler as Next.js and others of its kind have at the edge (`app/api/price/route.ts`, or a middleware): a setting from
// the key-value store and an answer of a service, both from what this instance already knows wherever it knows something.
import { createClient, json } from "proconsul/client";

/** Tells the framework where to run it. */
export const runtime = "edge";

interface Settings {
  currency: string;
}
interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

const { process } = globalThis as { process?: { env: Record<string, string | undefined> } };
const consul = createClient({
  address: process?.env.CONSUL_HTTP_ADDR ?? "http://127.0.0.1:8500",
  token: process?.env.CONSUL_HTTP_TOKEN,
});
// At the edge nothing runs between requests: nothing is sent before the first.
const settings = consul.kv.follow("shop/settings", json<Settings>(), { background: false });
const prices = consul.discover("prices", { background: false });

/** Answers GET /api/price?article=… */
export async function GET(request: Request, context: Context): Promise<Response> {
  const waitUntil = context.waitUntil.bind(context);
  const article = new URL(request.url).searchParams.get("article") ?? "";
  const { value, stale } = await settings.ready({ waitUntil });
  const response = await prices.fetch(`/price/${encodeURIComponent(article)}`, { waitUntil, timeoutMs: 2_000 });
  if (!response.ok) return Response.json({ error: "no price" }, { status: 502 });
  const price = Number(await response.text());
  return Response.json({ article, price, currency: value?.currency ?? "EUR", stale });
}
