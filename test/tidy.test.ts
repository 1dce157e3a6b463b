// The rules of the house that a machine can check: which folder may import which, sizes, comments, what must not be written
// anywhere, and that package.json, the build and the folders agree. CONTRIBUTING.md says the same in words.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { commandEntry, libraryEntries } from "../tsup.config.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

/** Imports go only down this list. */
const ORDER: readonly string[] = [
  "runtimes",
  "cli",
  "index",
  "http",
  "agent",
  "server",
  "rpc",
  "host",
  "platform",
  "codec",
  "replicator",
  "endpoint",
  "check",
  "dns",
  "state",
  "acl",
  "config",
  "gossip",
  "raft",
  "client",
  "filter",
  "util",
  "version",
  "types",
];
/** The only packages that src uses, and where. */
const PACKAGES: Record<string, readonly string[]> = {
  "@noble/hashes": ORDER,
  hono: ["http"],
  re2js: ["http", "endpoint", "acl", "filter"],
};
/** What each runtime's folder has, by the same names. */
const RUNTIME_FILES = ["dns.ts", "http.ts", "index.ts", "main.ts", "peers.ts"];
const RUNTIMES = ["node", "bun", "deno"];
const LINES_MAX = 500;
/** Files that are longer all the same, and how long they may be: these figures only go down. */
const LONG_FILES: Record<string, number> = {
  "src/codec/value.ts": 588,
  "src/endpoint/config-entry-kinds.ts": 519,
  "src/server/server.ts": 528,
};
/** Exports without a doc comment, by folder: these figures only go down. */
const UNDOCUMENTED_MAX: Record<string, number> = {
  "runtimes/node": 11,
  runtimes: 1,
  "src/check": 10,
  "src/cli": 10,
  "src/cli/commands": 31,
  "src/client": 34,
  "src/codec": 1,
  "src/config": 20,
  "src/dns": 23,
  "src/endpoint": 41,
  "src/filter": 8,
  "src/host": 3,
  "src/http": 43,
  src: 10,
  "src/raft": 19,
  "src/rpc": 5,
  "src/server": 19,
  "src/state": 20,
  "src/types": 7,
  "src/util": 6,
};

interface Import {
  from: string;
  /** A file of the project, or a package. */
  to: string;
  typeOnly: boolean;
}

const read = (path: string): string => readFileSync(join(root, path), "utf8");

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .sort();
}
const sourcesIn = (folder: string): string[] => filesIn(folder).filter((name) => name.endsWith(".ts"));

const product = [...sourcesIn("src"), ...sourcesIn("runtimes")];
const imports = product.flatMap(importsOf);

function importsOf(from: string): Import[] {
  const text = read(from).replaceAll(/^\s*\/\/.*$/gm, "");
  const found = [
    ...text.matchAll(
      /^(?:import|export)\s+(type\s)?[^"';]*?from\s+"([^"]+)"|^import\s+()"([^"]+)"|\bimport\(\s*()"([^"]+)"\s*\)/gm,
    ),
  ];
  return found.map(([, type, named, , bare, , dynamic]) => {
    const written = (named ?? bare ?? dynamic) as string;
    const to = written.startsWith(".") ? join(dirname(from), written).replaceAll("\\", "/") : written;
    return { from, to, typeOnly: type !== undefined };
  });
}

/** "state" for src/state/kv.ts, "index" for src/index.ts, "runtimes" for all of them; null for what is none of the product. */
function layerOf(path: string): string | null {
  if (path.startsWith("runtimes/")) return "runtimes";
  return /^src\/([\w-]+)/.exec(path)?.[1] ?? null;
}
const rankOf = (layer: string | null): number => ORDER.indexOf(layer ?? "");

test("imports: every folder of src has its place in the order", () => {
  const strangers = product.filter((path) => rankOf(layerOf(path)) === -1 && !path.endsWith(".d.ts"));
  assert.deepEqual(strangers, []);
});

test("imports: none climbs the order of the folders", () => {
  const climbing = imports.filter(({ from, to }) => {
    const [above, below] = [layerOf(from), layerOf(to)];
    return below !== null && above !== below && rankOf(below) <= rankOf(above);
  });
  assert.deepEqual(
    climbing.map(({ from, to }) => `${from} imports ${to}`),
    [],
  );
});

test("imports: none leads out of the product, to a file that is not there, or leaves out its extension", () => {
  const lost = imports.filter(({ from, to }) => {
    if (!to.includes("/") || /^(?:@|node:)/.test(to) || to === from) return false;
    return layerOf(to) === null || !existsSync(join(root, to));
  });
  assert.deepEqual(
    lost.filter(({ to }) => !/^[a-z]/.test(to) || to.endsWith(".ts")).map(({ from, to }) => `${from} imports ${to}`),
    [],
  );
});

test("imports: src uses no module of a runtime, and packages only where they belong", () => {
  const wrong = imports.filter(({ from, to }) => {
    if (!from.startsWith("src/") || to.startsWith("src/") || to.startsWith("runtimes/")) return false;
    const name = /^(?:@[^/]+\/)?[^/]+/.exec(to)?.[0] ?? "";
    return !PACKAGES[name]?.includes(layerOf(from) ?? "");
  });
  assert.deepEqual(
    wrong.map(({ from, to }) => `${from} imports ${to}`),
    [],
  );
});

test("imports: raft and gossip know no Consul record, and not each other", () => {
  const wrong = imports.filter(({ from, to }) => {
    if (layerOf(from) !== "raft" && layerOf(from) !== "gossip") return false;
    return (
      to !== "src/types/error.ts" && layerOf(to) !== layerOf(from) && layerOf(to) !== "util" && to.startsWith("src/")
    );
  });
  assert.deepEqual(
    wrong.map(({ from, to }) => `${from} imports ${to}`),
    [],
  );
});

test("imports: the client needs nothing beside it but types and helpers", () => {
  const allowed = ["client", "util", "types"];
  const wrong = imports.filter(
    ({ from, to }) => from.startsWith("src/client/") && !allowed.includes(layerOf(to) ?? ""),
  );
  assert.deepEqual(
    wrong.map(({ from, to }) => `${from} imports ${to}`),
    [],
  );
});

test("imports: no file imports itself by way of others", () => {
  const graph = new Map<string, string[]>(product.map((path) => [path, []]));
  for (const { from, to, typeOnly } of imports) if (!typeOnly && graph.has(to)) graph.get(from)?.push(to);
  const state = new Map<string, "open" | "done">();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === "open") cycles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
    if (state.has(path)) return;
    state.set(path, "open");
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    state.set(path, "done");
  };
  for (const path of graph.keys()) visit(path, []);
  assert.deepEqual(cycles, []);
});

test("files: none in src or runtimes passes 500 lines", () => {
  const long = product
    .map((path) => ({ path, lines: read(path).split("\n").length - 1 }))
    .filter(({ path, lines }) => lines > (LONG_FILES[path] ?? LINES_MAX));
  assert.deepEqual(long, []);
});

test("files: each begins with a comment that says what it is, save tests, whose titles do", () => {
  const others = ["test", "bench", "examples", "scripts"]
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap(sourcesIn);
  const silent = [...product, ...others.filter((path) => !path.endsWith(".test.ts"))].filter(
    (path) => !/^(?:#!.*\n)?\/[/*]/.test(read(path)),
  );
  assert.deepEqual(silent, []);
});

test("files: names are kebab-case", () => {
  const all = [...product, ...sourcesIn("test")];
  assert.deepEqual(
    all.filter(
      (path) =>
        !/^(?:[a-z\d]+(?:-[a-z\d]+)*\/)+[a-z\d]+(?:-[a-z\d]+)*(?:\.(?:test|node\.test|pure|d))?\.ts$/.test(path),
    ),
    [],
  );
});

test("tests: those that start agents in processes of their own run once, under Node", () => {
  const starts = new Set(["test/conformance/agent-process.ts", "test/support/process.ts"]);
  const tests = sourcesIn("test");
  // Whoever imports one that starts agents starts agents.
  for (let size = 0; size !== starts.size;) {
    size = starts.size;
    for (const path of tests)
      if (importsOf(path).some(({ to, typeOnly }) => !typeOnly && starts.has(to))) starts.add(path);
  }
  const thrice = [...starts].filter(
    (path) => path.endsWith(".test.ts") && !path.endsWith(".node.test.ts") && !path.startsWith("test/e2e/"),
  );
  assert.deepEqual(thrice, [], "name them *.node.test.ts");
});

test("comments: exports have one", () => {
  const counts: Record<string, string[]> = {};
  for (const path of product) {
    const lines = read(path).split("\n");
    for (const [at, line] of lines.entries()) {
      if (!/^export (?:declare |abstract |async )*(?:function|class|const|interface|type) \*?\w/.test(line)) continue;
      if (/\*\/\s*$/.test(lines[at - 1] ?? "")) continue;
      const folder = dirname(path);
      (counts[folder] ??= []).push(`${path}:${at + 1} ${line.slice(0, 60)}`);
    }
  }
  const over = Object.entries(counts).filter(([folder, list]) => list.length > (UNDOCUMENTED_MAX[folder] ?? 0));
  assert.deepEqual(
    over.map(
      ([folder, list]) => `${folder}: ${list.length}, ${UNDOCUMENTED_MAX[folder] ?? 0} allowed: ${list.join(", ")}`,
    ),
    [],
  );
});

test("words: no path of somebody's machine and no host of a package registry is written anywhere", () => {
  // Put together here, so that this file does not contain them.
  const forbidden = [
    ["/wo", "rk/"],
    ["/ro", "ot/"],
    ["/ho", "me/"],
    ["/Us", "ers/"],
    ["regis", "try.npmjs"],
    ["npm", "mirror"],
    ["regis", "try.yarnpkg"],
    ["jsr", ".io/@"],
  ].map((parts) => parts.join(""));
  const folders = ["src", "runtimes", "test", "bench", "docs", "examples", "scripts"].filter((folder) =>
    existsSync(join(root, folder)),
  );
  const loose = readdirSync(root).filter((name) => /\.(?:md|ts|json|toml)$/.test(name));
  const text = [
    ...folders.flatMap(filesIn).filter((path) => /\.(?:ts|mjs|js|json|md|txt|html|sh|toml)$/.test(path)),
    ...loose,
    ".ci/run",
  ];
  const found = text.flatMap((path) => {
    const content = read(path);
    return forbidden.filter((word) => content.includes(word)).map((word) => `${path}: ${word}`);
  });
  assert.deepEqual(found, []);
});

test("documents: links between them lead somewhere", () => {
  const pages = [...readdirSync(root), ...filesIn("docs"), ...filesIn("src"), ...filesIn("runtimes")].filter((path) =>
    path.endsWith(".md"),
  );
  const dead = pages.flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, link]) => join(dirname(path), link as string))
      .filter((target) => !existsSync(join(root, target)))
      .map((target) => `${path}: ${target}`),
  );
  assert.deepEqual(dead, []);
});

test("runtimes: each folder has the same files, and none that Node's lacks", () => {
  const nodes = new Set(readdirSync(join(root, "runtimes/node")));
  for (const runtime of RUNTIMES) {
    const there = readdirSync(join(root, "runtimes", runtime));
    assert.deepEqual(
      RUNTIME_FILES.filter((name) => !there.includes(name)),
      [],
      `missing in runtimes/${runtime}`,
    );
    assert.deepEqual(
      there.filter((name) => !nodes.has(name)),
      [],
      `only in runtimes/${runtime}`,
    );
  }
});

interface PackageFile {
  version: string;
  exports: Record<string, string | { types: string; default: string }>;
  bin: Record<string, string>;
  files: string[];
}

test("package: exports, command and build agree", () => {
  const { exports, bin, files } = JSON.parse(read("package.json")) as PackageFile;
  const wanted = Object.keys(libraryEntries).map((name) => [
    name === "index" ? "." : `./${name}`,
    { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
  ]);
  assert.deepEqual(exports, { ...Object.fromEntries(wanted), "./package.json": "./package.json" });
  assert.deepEqual(bin, { proconsul: `dist/${Object.keys(commandEntry)[0]}.js` });
  assert.ok(files.includes("dist"));
  for (const path of [...Object.values(libraryEntries), ...Object.values(commandEntry)])
    assert.ok(existsSync(join(root, path)), path);
});

test("package: its version is what the agent says", () => {
  const { version } = JSON.parse(read("package.json")) as PackageFile;
  assert.equal(/VERSION = "([^"]+)"/.exec(read("src/version.ts"))?.[1], version);
});

test("types: each pure folder that exists is checked as one", () => {
  const pure = [...read("src/tsconfig.pure.json").matchAll(/"(\w+)"(?=[^:]*\])/g)].map(([, name]) => name);
  const folders = [
    "types",
    "util",
    "filter",
    "raft",
    "gossip",
    "state",
    "dns",
    "check",
    "acl",
    "config",
    "endpoint",
    "codec",
  ];
  assert.deepEqual(
    folders.filter((name) => !pure.includes(name)),
    [],
  );
});
