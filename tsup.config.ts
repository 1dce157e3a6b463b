// Makes dist/: the library entries with their types, and the `proconsul` command, which needs nothing beside it.
import type { Options } from "tsup";

const shared: Options = {
  format: "esm",
  platform: "node",
  target: "node22",
  outDir: "dist",
  sourcemap: false,
  // The two builds below run side by side: cleaning is the npm script's.
  clean: false,
};

/** The library: what package.json's `exports` name. Code they share is in chunks, so that a class is one class. */
export const libraryEntries: Record<string, string> = {
  index: "src/index.ts",
  client: "src/client/index.ts",
  "client/admin": "src/client/admin.ts",
  "storage/unstorage": "runtimes/storage/unstorage.ts",
  "storage/idb": "runtimes/storage/idb.ts",
  node: "runtimes/node/index.ts",
  bun: "runtimes/bun/index.ts",
  deno: "runtimes/deno/index.ts",
  browser: "runtimes/browser/index.ts",
};

/** The `proconsul` command, with all that it needs in it. */
export const commandEntry: Record<string, string> = { cli: "runtimes/cli.ts" };

const builds: Options[] = [
  { ...shared, entry: libraryEntries, dts: true },
  { ...shared, entry: commandEntry, noExternal: [/./], dts: false },
];

export default builds;
