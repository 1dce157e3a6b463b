// What is asked of a group of servers, and of which of them: wrk scripts.
const PUT = `local body = string.rep("v", 200)
request = function() return wrk.format("PUT", "/v1/kv/bench/" .. math.random(0, 9999), nil, body) end`;
const get = (query: string): string =>
  `request = function() return wrk.format("GET", "/v1/kv/bench/" .. math.random(0, 99) .. "${query}") end`;

export interface Row {
  readonly via: "leader" | "follower";
  readonly script: string;
}

export const ROWS: Readonly<Record<string, Row>> = {
  "put-leader": { via: "leader", script: PUT },
  "put-follower": { via: "follower", script: PUT },
  "get-leader": { via: "leader", script: get("") },
  "get-follower": { via: "follower", script: get("") },
  "get-follower-stale": { via: "follower", script: get("?stale") },
  "get-follower-consistent": { via: "follower", script: get("?consistent") },
};
