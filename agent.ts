// Runs Proconsul on whichever runtime executes this file: `node agent.ts`, `bun run agent`, `deno run -A agent.ts`.
// Without arguments it runs a development agent; arguments that begin with a dash are the agent's; anything else is a
// command line of the tool, as `proconsul` takes it.
import { main } from "./runtimes/main.ts";

const given = process.argv.slice(2);
const args = given.length === 0 ? ["agent", "-dev"] : given[0]?.startsWith("-") ? ["agent", ...given] : given;
await main(args);
