// `dig`, over UDP and TCP.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { type AgentProcess, eventually } from "../support/process.ts";
import { missing, run } from "./command.ts";

const skip = missing("dig");

/** Declares the tests; `agent` is asked for when they run. */
export function digTests(agent: () => AgentProcess): void {
  const dig = async (...args: string[]): Promise<string> =>
    (await run("dig", ["@127.0.0.1", "-p", String(agent().ports.dns), "+tries=3", "+time=5", ...args])).toString();
  const short = async (...args: string[]): Promise<string[]> =>
    (await dig("+short", ...args))
      .split("\n")
      .filter((line) => line !== "")
      .sort();

  before(async () => {
    if (skip !== false) return;
    for (const n of [1, 2])
      await agent().send("PUT", "/v1/catalog/register", {
        Node: `dig-${n}`,
        Address: `10.1.0.${n}`,
        NodeMeta: { rack: "one" },
        Service: { Service: "dig", ID: `dig-${n}`, Port: 8000 + n, Tags: n === 1 ? ["primary"] : [] },
        Check: { CheckID: "c", Name: "c", ServiceID: `dig-${n}`, Status: "passing" },
      });
    await eventually("the service is known to DNS", async () => (await short("dig.service.consul")).length === 2);
  });

  for (const transport of ["+notcp", "+tcp"]) {
    test(`dig ${transport}: nodes, services, tags, SRV, PTR, TXT and the zone`, { skip }, async () => {
      assert.deepEqual(await short(transport, "dig.service.consul"), ["10.1.0.1", "10.1.0.2"]);
      assert.deepEqual(await short(transport, "dig.service.dc1.consul"), ["10.1.0.1", "10.1.0.2"]);
      assert.deepEqual(await short(transport, "primary.dig.service.consul"), ["10.1.0.1"]);
      assert.deepEqual(await short(transport, "dig-2.node.consul"), ["10.1.0.2"]);
      assert.deepEqual(await short(transport, "SRV", "_dig._primary.service.consul"), [
        "1 1 8001 dig-1.node.dc1.consul.",
      ]);
      assert.deepEqual(await short(transport, "SRV", "dig.service.consul"), [
        "1 1 8001 dig-1.node.dc1.consul.",
        "1 1 8002 dig-2.node.dc1.consul.",
      ]);
      assert.deepEqual(await short(transport, "-x", "10.1.0.1"), ["dig-1.node.dc1.consul."]);
      assert.match((await short(transport, "TXT", "dig-1.node.consul")).join(), /rack=one/);
      assert.match((await short(transport, "SOA", "consul.")).join(), /^ns\.consul\. hostmaster\.consul\. /);
      assert.match((await short(transport, "NS", "consul.")).join(), /\.ns\.dc1\.consul\.|\.consul\.$/);
    });
  }

  test(
    "dig: an unknown name is NXDOMAIN with the zone's SOA, and a known one without AAAA is empty",
    { skip },
    async () => {
      const unknown = await dig("none.service.consul");
      assert.match(unknown, /status: NXDOMAIN/);
      assert.match(unknown, /AUTHORITY: 1/);
      const empty = await dig("AAAA", "dig-1.node.consul");
      assert.match(empty, /status: NOERROR/);
      assert.match(empty, /ANSWER: 0/);
    },
  );

  test("dig: an answer that does not fit is cut and marked, and whole over TCP", { skip }, async () => {
    const services = Array.from({ length: 60 }, (_, n) =>
      agent().send("PUT", "/v1/catalog/register", {
        Node: `dig-many-${n}`,
        Address: `10.2.0.${n}`,
        Service: { Service: "dig-many", Port: n + 1 },
      }),
    );
    await Promise.all(services);
    const cut = await dig("+noedns", "+ignore", "SRV", "dig-many.service.consul");
    assert.match(cut, /flags: [a-z ]*\btc\b/);
    assert.match(await dig("+tcp", "SRV", "dig-many.service.consul"), /ANSWER: 60,/);
    assert.match(await dig("+bufsize=4096", "+ignore", "dig-many.service.consul"), /udp: \d+/);
  });

  test("dig: a prepared query, by its name", { skip }, async () => {
    const created = await agent().send("POST", "/v1/query", {
      Name: "dig-query",
      Service: { Service: "dig", Tags: ["primary"] },
    });
    assert.equal(created.status, 200);
    assert.deepEqual(await short("dig-query.query.consul"), ["10.1.0.1"]);
  });
}
