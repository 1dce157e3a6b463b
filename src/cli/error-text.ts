// Errors as Consul's command line says them: runtimes differ in how they report a refused connection, scripts should not
// have to.
import { ClientError } from "../client/transport.ts";

const reasons: readonly [RegExp, string][] = [
  [/ECONNREFUSED|ConnectionRefused|connection refused|Unable to connect/i, "connect: connection refused"],
  [/ENOTFOUND|EAI_AGAIN|FailedToResolve|failed to lookup address|dns error/i, "lookup: no such host"],
  [/ECONNRESET|ConnectionClosed|connection reset|socket hang up|other side closed/i, "read: connection reset by peer"],
  [/EHOSTUNREACH|no route to host/i, "connect: no route to host"],
  [/ENOENT/, "connect: no such file or directory"],
  [/ETIMEDOUT|timed out|Timeout/i, "i/o timeout"],
];

/** The text of any error; that of a request that got no answer is Go's. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof ClientError) || error.status !== 0 || error.cause === undefined) return error.message;
  const [, request, url] = /^(\w+ "([^"]*)"): /.exec(error.message) ?? [];
  if (request === undefined || url === undefined) return error.message;
  const { code } = error.cause as { code?: string };
  const inner = (error.cause as { cause?: { code?: string } }).cause?.code;
  const detail = `${code ?? ""} ${inner ?? ""} ${error.message.slice(request.length + 2)}`;
  const found = reasons.find(([form]) => form.test(detail));
  return found === undefined ? error.message : `${request}: dial tcp ${hostPort(url)}: ${found[1]}`;
}

function hostPort(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}
