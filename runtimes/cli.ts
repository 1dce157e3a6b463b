#!/usr/bin/env node
// The `proconsul` command: `node dist/cli.js`, `bun dist/cli.js` and `deno run -A dist/cli.js` are the same program.
import { main } from "./main.ts";

await main(process.argv.slice(2));
