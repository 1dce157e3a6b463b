// A real agent, with a small server in front that also serves a page, takes its report, and answers as a service: what the
// suite needs where it runs in a browser or a Worker, which may only call where they came from, or what they are shown.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { AgentProcess } from "../../support/process.ts";
import { startAgent } from "../../support/process.ts";

const here = fileURLToPath(new URL(".", import.meta.url));

/** A program with these words as one module, the stand-ins in place of Node's. */
export async function bundle(program: string, more: { external?: string[] } = {}): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: here, loader: "ts" },
    bundle: true,
    format: "esm",
    target: "es2022",
    // Tests are imported for what they do.
    ignoreAnnotations: true,
    write: false,
    alias: { "node:test": `${here}tests.ts`, "node:assert/strict": `${here}assertions.ts` },
    ...more,
  });
  return outputFiles[0]?.text ?? "";
}

export interface Harness {
  /** Of the server in front: /v1/ is the agent's, /up/hello a service's, /peers/<address>/ what that agent's ports answer. */
  readonly base: string;
  readonly agent: AgentProcess;
  /** Resolves with the body of the first POST to /report. */
  readonly report: Promise<string>;
  close(): Promise<void>;
}

/**
 * @param pages what is served besides, by path
 * @param config of the agent, by its keys
 */
export async function startHarness(
  pages: Record<string, { type: string; body: string }> = {},
  config: Record<string, unknown> = {},
): Promise<Harness> {
  const agent = await startAgent({ config });
  let reported: (text: string) => void = () => {};
  const report = new Promise<string>((resolve) => {
    reported = resolve;
  });
  const server = createServer(async (request, response) => {
    const path = request.url ?? "/";
    try {
      const page = pages[path];
      if (page !== undefined) return response.writeHead(200, { "content-type": page.type }).end(page.body);
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      if (path === "/report") {
        reported(body.toString());
        return response.end();
      }
      if (path === "/up/hello") return response.end(`hello ${body.toString()}`);
      const peer = /^\/peers\/([^/]+)(\/.*)/.exec(path);
      if (peer !== null) {
        const answer = await fetch(`http://${peer[1]}${peer[2]}`, { method: "POST", body });
        return response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
      }
      const gone = new AbortController();
      response.once("close", () => gone.abort());
      const answer = await fetch(agent.base + path, {
        method: request.method ?? "GET",
        signal: gone.signal,
        ...(body.length === 0 ? {} : { body }),
      });
      const headers = Object.fromEntries([...answer.headers].filter(([name]) => name.startsWith("x-")));
      return response.writeHead(answer.status, headers).end(Buffer.from(await answer.arrayBuffer()));
    } catch (error) {
      if (!response.headersSent) response.writeHead(502);
      return response.end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    agent,
    report,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await agent.kill9();
    },
  };
}
