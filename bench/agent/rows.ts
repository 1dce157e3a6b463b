// The work: what an agent is filled with, and what is asked of it.

const VALUE_BYTES = 200;
const KEYS = 1000;

/** Scripts for wrk, by row. */
export const HTTP_ROWS: Readonly<Record<string, string>> = {
  "kv-get": `request = function() return wrk.format("GET", "/v1/kv/bench/" .. math.random(0, ${KEYS - 1})) end`,
  "kv-get-stale": `request = function() return wrk.format("GET", "/v1/kv/bench/" .. math.random(0, ${KEYS - 1}) .. "?stale") end`,
  "kv-put": `local value = string.rep("v", ${VALUE_BYTES})
request = function() return wrk.format("PUT", "/v1/kv/bench/" .. math.random(0, ${KEYS - 1}), nil, value) end`,
  "kv-list-100": `request = function() return wrk.format("GET", "/v1/kv/list/?recurse") end`,
  "health-service-20": `request = function() return wrk.format("GET", "/v1/health/service/web?passing") end`,
  "catalog-services-200": `request = function() return wrk.format("GET", "/v1/catalog/services") end`,
  "agent-services": `request = function() return wrk.format("GET", "/v1/agent/services") end`,
  "catalog-register": `local n = 0
request = function()
  n = (n + 1) % 500
  local body = string.format('{"Node":"wn%d","Address":"10.0.0.1","Service":{"Service":"w","ID":"w%d","Port":%d}}', n % 50, n, 1000 + n)
  return wrk.format("PUT", "/v1/catalog/register", nil, body)
end`,
  "txn-10-sets": `local operations = {}
for i = 1, 10 do operations[i] = '{"KV":{"Verb":"set","Key":"txn/' .. i .. '","Value":"dmFsdWU="}}' end
local body = "[" .. table.concat(operations, ",") .. "]"
request = function() return wrk.format("PUT", "/v1/txn", nil, body) end`,
};

/** Questions for dnsperf, by row. */
export const DNS_ROWS: Readonly<Record<string, string>> = {
  "dns-a": "web.service.consul A",
  "dns-srv": "web.service.consul SRV",
  "dns-node": "node-3.node.consul A",
};

/** 1,000 keys, a folder of 100, a service of 20 instances, 200 services of one, 5 services of the agent's own. */
export async function fill(base: string): Promise<void> {
  const put = async (path: string, body: unknown): Promise<void> => {
    const response = await fetch(base + path, {
      method: "PUT",
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  };
  const value = "v".repeat(VALUE_BYTES);
  for (let i = 0; i < KEYS; i++) await put(`/v1/kv/bench/${i}`, value);
  for (let i = 0; i < 100; i++) await put(`/v1/kv/list/${i}`, value);
  for (let i = 0; i < 20; i++)
    await put("/v1/catalog/register", {
      Node: `node-${i}`,
      Address: `10.0.0.${i + 1}`,
      Service: { Service: "web", ID: `web-${i}`, Port: 8000 + i, Tags: ["v1", "edge"], Meta: { version: "1" } },
      Check: { CheckID: `web-${i}`, Name: "web up", Status: "passing", ServiceID: `web-${i}` },
    });
  for (let i = 0; i < 200; i++)
    await put("/v1/catalog/register", {
      Node: `node-${i % 20}`,
      Address: `10.0.0.${(i % 20) + 1}`,
      Service: { Service: `svc-${i}`, Port: i + 1, Tags: ["t"] },
    });
  for (let i = 0; i < 5; i++) await put("/v1/agent/service/register", { Name: `local-${i}`, Port: 10 + i });
}
