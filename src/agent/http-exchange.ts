// One HTTP request to the outside and the head of its answer, within a time limit: what HTTP checks and the handlers of
// watches need. It goes by the platform's own means where there are some, else by `fetch`.
import type { Timers } from "../host/timers.ts";
import type { HttpProbeAnswer, HttpProbeRequest, Platform } from "../platform.ts";
import { concat } from "../util/bytes.ts";
import { formatDuration, nsPerMs } from "../util/duration.ts";
import { unlessAborted } from "./unless-aborted.ts";

/** What is asked, but for how it is ended. */
export type Asked = Omit<HttpProbeRequest, "signal">;

/** The head of an answer. */
export interface Exchange {
  status: number;
  reason: string;
  /** The first bytes of the body. */
  body: Uint8Array;
}

/** What it is done with. */
export interface ExchangeMeans {
  platform: Pick<Platform, "fetch" | "http">;
  timers: Timers;
}

/**
 * Sends a request and reads at most `bodyBytesMax` of the answer. Ends within `timeoutMs`, or when `signal` aborts.
 * @throws Error whose innermost message says why there is no answer.
 */
export async function exchange(
  asked: Asked,
  { timeoutMs, bodyBytesMax }: { timeoutMs: number; bodyBytesMax: number },
  means: ExchangeMeans,
  signal: AbortSignal,
): Promise<Exchange> {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  signal.addEventListener("abort", stop, { once: true });
  let timedOut = false;
  const timer = means.timers.after(timeoutMs, () => {
    timedOut = true;
    stop();
  });
  try {
    const { status, reason, body } = await send({ ...asked, signal: controller.signal }, means.platform);
    return { status, reason, body: await readHead(body, bodyBytesMax, controller.signal) };
  } catch (error) {
    throw timedOut ? new Error(`no answer within ${formatDuration(timeoutMs * nsPerMs)}`) : error;
  } finally {
    means.timers.cancel(timer);
    signal.removeEventListener("abort", stop);
  }
}

function send(asked: HttpProbeRequest, platform: ExchangeMeans["platform"]): Promise<HttpProbeAnswer> {
  const { url, method, headers, body, followRedirects, signal } = asked;
  if (platform.http !== undefined) return unlessAborted(platform.http.request(asked), signal);
  const lacking = beyondFetch(asked);
  if (lacking !== null) return Promise.reject(new Error(`this runtime's fetch cannot ${lacking}`));
  const request = new Request(url, {
    method,
    headers,
    ...(body === "" ? null : { body }),
    redirect: followRedirects ? "follow" : "manual",
    signal,
  });
  return unlessAborted(platform.fetch(request), signal).then((response) => {
    // Browsers hide a redirect that they were told not to follow.
    if (response.type === "opaqueredirect") throw new Error("redirected, and redirects are disabled");
    return { status: response.status, reason: response.statusText, body: response.body };
  });
}

/** What is asked for that `fetch` would drop or refuse: said rather than dropped. Null when there is nothing. */
function beyondFetch({ url, method, headers, body, tlsSkipVerify, tlsServerName }: Asked): string | null {
  if (headers.some(([name]) => name.toLowerCase() === "host")) return "set the Host header";
  if (body !== "" && /^(get|head)$/i.test(method)) return `send a body with ${method}`;
  if (!/^https:/i.test(url)) return null;
  if (tlsSkipVerify) return "skip the verification of certificates (tls_skip_verify)";
  return tlsServerName === "" ? null : "set the name for TLS (tls_server_name)";
}

/** The first bytes of a body, at most `maxBytes`; the rest is not read. A body that breaks off counts as far as it went. */
async function readHead(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (body === null) return new Uint8Array(0);
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    while (length < maxBytes) {
      const { done, value } = await unlessAborted(reader.read(), signal);
      if (done) break;
      chunks.push(value);
      length += value.length;
    }
  } catch {
    // The head came: its status stands.
  }
  // Nobody waits for a connection to be given up.
  void reader.cancel().catch(() => {});
  return concat(chunks).subarray(0, maxBytes);
}
