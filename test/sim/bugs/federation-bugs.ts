// Bugs of what is between datacenters: the router, the way of a request through several agents, failover, replication.
import type { Bug, Edit } from "./bug.ts";

const edit = (file: string, find: string, replace: string): Edit => ({ file: `src/${file}`, find, replace });
const bug = (name: string, what: string, ...edits: Edit[]): Bug => ({ name, what, datacenters: 3, edits });

/** Bugs of src/rpc, src/agent and src/replicator that show only with several datacenters. */
export const FEDERATION_BUGS: readonly Bug[] = [
  bug(
    "write-repeated-elsewhere",
    "a write for another datacenter whose answer was lost is sent to another server there",
    edit(
      "rpc/router.ts",
      'if (code !== "unreachable" && isWrite) throw this.#unknown(datacenter, servers, peer, message);',
      "",
    ),
  ),
  bug(
    "lost-write-denied",
    "of a write whose answer was lost between datacenters it is said that nothing was done",
    edit(
      "rpc/router.ts",
      'if (code !== "unreachable" && isWrite) throw this.#unknown(datacenter, servers, peer, message);',
      'if (code !== "unreachable" && isWrite) throw this.#unreachable(datacenter, new OperationalError("unreachable", message));',
    ),
  ),
  bug(
    "demoted-for-ever",
    "a server of another datacenter that once gave no answer is never asked again, as long as the WAN pool does not give it up",
    edit("rpc/datacenter-servers.ts", "const DEMOTED_MS = 30_000;", "const DEMOTED_MS = 1e9;"),
    edit("rpc/datacenter-servers.ts", "const RETRY_MS = 2000;", "const RETRY_MS = 1e9;"),
  ),
  bug(
    "given-up-by-hearsay",
    "what the WAN pool says late of a server breaks the calls that it is answering (found by the first runs)",
    edit(
      "rpc/datacenter-servers.ts",
      "else if (!server.isAlive && wasAlive && entry.silentSinceMs === null) void this.#ping(entry);",
      'else if (!server.isAlive && wasAlive) this.#silent(entry, "the WAN pool holds it for failed");',
    ),
  ),
  bug(
    "one-link-for-all",
    "when one datacenter cannot be reached, requests for all others are refused for a while",
    edit(
      "rpc/router.ts",
      "    const servers = this.#of(datacenter);\n    const until = now() + holdMs;",
      `    const breaker = this as { openUntil?: number };
    if (now() < (breaker.openUntil ?? 0)) throw this.#unreachable(datacenter, new OperationalError("unreachable", "circuit open"));
    const servers = this.#of(datacenter);
    const until = now() + holdMs;`,
    ),
    edit(
      "rpc/router.ts",
      "        this.#judge(datacenter, servers, peer, isWrite, error);\n",
      "        if (!error.isAnswer) breaker.openUntil = now() + 10_000;\n        this.#judge(datacenter, servers, peer, isWrite, error);\n",
    ),
  ),
  bug(
    "datacenter-forgotten",
    "a client agent does not tell its server which datacenter a request is for",
    edit(
      "rpc/route.ts",
      "return remote === null ? target : { ...target, ...remote, holdMs: REMOTE_HOLDS * holdMs };",
      "return remote === null ? target : { ...target, holdMs: REMOTE_HOLDS * holdMs };",
    ),
  ),
  bug(
    "far-wait-skipped",
    "a blocking query of another datacenter forgets its index when it is sent on, and is answered at once",
    edit(
      "rpc/route.ts",
      "const answer = await this.#read(endpoint, args, { ...options, waitMs }, remote);",
      `const isFar = remote !== null && this.#server !== null;
        const answer = await this.#read(endpoint, args, { ...options, index: isFar ? 0 : options.index, waitMs }, remote);
        if (isFar) return answer;`,
    ),
  ),
  bug(
    "far-answers-kept",
    "a server keeps stale answers of another datacenter",
    edit(
      "rpc/router.ts",
      "    return this.#ask(datacenter, hops, false, (peer) =>\n      callQuery(this.#target(datacenter, hops, peer), endpoint, args, options),\n    );",
      `    const kept = ((this as { kept?: Map<string, Promise<Answer<unknown>>> }).kept ??= new Map());
    const key = JSON.stringify([datacenter, endpoint.name, args, options.consistency, options.index]);
    const isKept = options.consistency === "stale" && options.index === 0;
    if (isKept && kept.has(key)) return kept.get(key) as Promise<Answer<R>>;
    const answer = this.#ask(datacenter, hops, false, (peer) =>
      callQuery(this.#target(datacenter, hops, peer), endpoint, args, options),
    );
    if (isKept)
      answer.then(
        () => kept.set(key, answer),
        () => {},
      );
    return answer;`,
    ),
  ),
  bug(
    "doubled-call-done-twice",
    "a write of another datacenter that comes twice is carried out twice",
    edit(
      "rpc/call.ts",
      "await outcomes.once(id, () => answerer.command(endpoint, args as never, to))",
      "await (hops > 0 ? answerer.command(endpoint, args as never, to) : outcomes.once(id, () => answerer.command(endpoint, args as never, to)))",
    ),
  ),
  bug(
    "failover-old-answer",
    "a prepared query takes what another datacenter had when it was last asked",
    edit(
      "agent/prepared-queries.ts",
      "  return ({ query, connect, stale }) => {\n",
      "  const kept = new Map<string, readonly InstanceHealth[]>();\n  return ({ query, connect, stale }) => {\n",
    ),
    edit(
      "agent/prepared-queries.ts",
      "        return answer.shared.read.value;\n",
      `        const key = \`\${datacenter} \${query.Name}\`;
        const known = kept.get(key);
        if (known !== undefined) return known;
        if (answer.shared.read.value.length > 0) kept.set(key, answer.shared.read.value);
        return answer.shared.read.value;
`,
    ),
  ),
  bug(
    "failover-once",
    "a prepared query looks in one other datacenter only",
    edit("agent/prepared-queries.ts", "        else next();\n", "        else if (open === 0) end(own, []);\n"),
  ),
  bug(
    "failover-under-own-name",
    "a prepared query says that what another datacenter has is its own's",
    edit(
      "agent/prepared-queries.ts",
      "resolve({ datacenter, failovers: asked, nodes });",
      "resolve({ datacenter: own, failovers: asked, nodes });",
    ),
  ),
  bug(
    "replication-gives-up",
    "what is replicated is not asked for any more after some failures, and nobody is told",
    edit(
      "replicator/replicator.ts",
      "    this.#failures += 1;\n    this.#isCaughtUp = false;",
      '    this.#failures += 1;\n    if (this.#failures > 2) {\n      this.#state = "waiting";\n      this.#deadline = null;\n      return [];\n    }\n    this.#isCaughtUp = false;',
    ),
  ),
  bug(
    "copy-keeps-deleted-keys",
    "a copy of keys that is compared anew keeps what is gone at its source",
    edit(
      "replicator/kv.ts",
      "const gone = isTwoWay ? [] : this.#gone(feed, at.After);",
      'const gone = isTwoWay || at.After === "" ? [] : this.#gone(feed, at.After);',
    ),
  ),
];
