// HTTP checks by `node:http`, which Node, Bun and Deno have: unlike `fetch` it sends the Host header it is told to, a body
// with any method, to any port, over a connection of its own, and can be told about TLS.
import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { isIP } from "node:net";
import { Readable } from "node:stream";
import type { HttpProbe, HttpProbeAnswer, HttpProbeRequest } from "../../src/platform.ts";

/** As Go's client: the tenth redirect is one too many. */
const REDIRECTS_MAX = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** What was said to one host is not for another. */
const SECRET = /^(host|authorization|cookie|www-authenticate)$/i;

/** HTTP as checks want it. */
export const httpProbe: HttpProbe = { request: (asked) => follow(asked, REDIRECTS_MAX - 1) };

async function follow(asked: HttpProbeRequest, redirectsLeft: number): Promise<HttpProbeAnswer> {
  const answer = await send(asked);
  const { statusCode = 0, statusMessage = "", headers } = answer;
  const { location } = headers;
  if (!asked.followRedirects || location === undefined || !REDIRECTS.has(statusCode))
    return { status: statusCode, reason: statusMessage, body: Readable.toWeb(answer) as ReadableStream<Uint8Array> };
  answer.destroy();
  if (redirectsLeft === 0) throw new Error(`stopped after ${REDIRECTS_MAX} redirects`);
  return follow(redirected(asked, location, statusCode), redirectsLeft - 1);
}

/** The request that a redirect asks for: 301, 302 and 303 turn into a GET without the body. */
function redirected(asked: HttpProbeRequest, location: string, status: number): HttpProbeRequest {
  const from = new URL(asked.url);
  const url = new URL(location, from);
  const keeps = status === 307 || status === 308 || /^(get|head)$/i.test(asked.method);
  return {
    ...asked,
    url: url.href,
    method: keeps ? asked.method : "GET",
    body: keeps ? asked.body : "",
    headers: url.host === from.host ? asked.headers : asked.headers.filter(([name]) => !SECRET.test(name)),
  };
}

function send(asked: HttpProbeRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = new URL(asked.url);
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      reject(new Error(`unsupported protocol scheme "${url.protocol.slice(0, -1)}"`));
      return;
    }
    const options: RequestOptions = {
      method: asked.method,
      headers: headersOf(asked),
      // A connection of its own, closed afterwards.
      agent: false,
      signal: asked.signal,
    };
    if (url.protocol === "https:") Object.assign(options, tlsOptions(asked, url));
    const sent = url.protocol === "https:" ? httpsRequest(url, options) : httpRequest(url, options);
    sent.once("response", (answer) => {
      // One that breaks off says so to whoever reads it.
      answer.on("error", () => {});
      resolve(answer);
    });
    // There may be more than one, the later ones after the answer's head.
    sent.on("error", reject);
    sent.end(asked.body === "" ? undefined : asked.body);
  });
}

function headersOf({ headers, body }: HttpProbeRequest): Record<string, string | string[]> {
  const byName = new Map<string, string[]>();
  for (const [name, value] of headers) byName.set(name, [...(byName.get(name) ?? []), value]);
  if (body !== "") byName.set("Content-Length", [String(Buffer.byteLength(body))]);
  return Object.fromEntries(
    Array.from(byName, ([name, values]) => [name, values.length === 1 ? (values[0] as string) : values]),
  );
}

/** The name that the certificate must have is the URL's, whatever the Host header says. */
function tlsOptions({ tlsServerName, tlsSkipVerify }: HttpProbeRequest, url: URL): RequestOptions {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const servername = tlsServerName === "" ? (isIP(host) === 0 ? host : "") : tlsServerName;
  return { servername, rejectUnauthorized: !tlsSkipVerify };
}
