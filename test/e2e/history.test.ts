// The clients of history.ts against a store that is right, and against stores that are not: they must notice.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerProcess } from "./group.ts";
import { History } from "./history.ts";

interface Kept {
  readonly value: string;
  readonly index: number;
}
/** The old values of a key, the newest last; null: absent. */
type Versions = (Kept | null)[];

/** @param read which of a key's versions a read is answered with; @param loses true for a write that is acknowledged only. */
async function faultsOf(
  read: (versions: Versions) => Kept | null | undefined,
  loses: () => boolean,
): Promise<string[]> {
  const keys = new Map<string, Versions>();
  let index = 1;
  const answer = async (message: IncomingMessage): Promise<[status: number, text: string]> => {
    const [path = "", query = ""] = (message.url ?? "").split("?");
    const versions = keys.get(path) ?? [null];
    keys.set(path, versions);
    if (message.method === "GET") {
      const kept = read(versions) ?? null;
      if (kept === null) return [404, ""];
      return [200, JSON.stringify([{ Value: Buffer.from(kept.value).toString("base64"), ModifyIndex: kept.index }])];
    }
    let body = "";
    for await (const chunk of message) body += String(chunk);
    const cas = /cas=(\d+)/.exec(query);
    if (cas !== null && Number(cas[1]) !== (versions.at(-1)?.index ?? 0)) return [200, "false"];
    if (!loses()) versions.push(message.method === "DELETE" ? null : { value: body, index: ++index });
    return [200, "true"];
  };
  const server: Server = createServer((message, response) => {
    void answer(message).then(([status, text]) => response.writeHead(status).end(text));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const at = { name: "s", host: "127.0.0.1", httpPort: (server.address() as AddressInfo).port };
  const history = new History(1).start([at as unknown as ServerProcess], 4);
  while (history.answered < 400) await sleep(10);
  await history.stop();
  server.close();
  return history.faults();
}

test("clients find nothing wrong with a store that answers with the newest value", async () => {
  assert.deepEqual(
    await faultsOf(
      (versions) => versions.at(-1),
      () => false,
    ),
    [],
  );
});

test("clients notice a store that now and then reads an older value", async () => {
  let reads = 0;
  const read = (versions: Versions): Kept | null | undefined => versions.at(++reads % 8 === 0 ? -2 : -1);
  assert.notDeepEqual(await faultsOf(read, () => false), []);
});

test("clients notice a store that loses what it has acknowledged", async () => {
  let writes = 0;
  assert.notDeepEqual(
    await faultsOf(
      (versions) => versions.at(-1),
      () => ++writes % 15 === 0,
    ),
    [],
  );
});
