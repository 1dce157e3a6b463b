// Makes dist/: the library entries with their types, and the `proconsul` command, which needs nothing beside it.
import { defineConfig, type Options } from "tsup";

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
export const entries: Record<string, string> = {
  index: "src/index.ts",
  client: "src/client/index.ts",
  node: "runtimes/node/index.ts",
  bun: "runtimes/bun/index.ts",
  deno: "runtimes/deno/index.ts",
};

export default defineConfig([
  { ...shared, entry: entries, dts: true },
  { ...shared, entry: { cli: "runtimes/cli.ts" }, noExternal: [/./], dts: false },
]);
