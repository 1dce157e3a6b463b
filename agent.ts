// Runs Proconsul on whichever runtime executes this file: `node agent.ts`, `bun run agent`, `deno run -A agent.ts`.
// Without arguments it runs a development agent; arguments that begin with a dash are the agent's; anything else is a
// command line of the tool, as `proconsul` takes it.
declare const Bun: unknown;
declare const Deno: unknown;

const runtime = typeof Bun !== "undefined" ? "bun" : typeof Deno !== "undefined" ? "deno" : "node";
const given = process.argv.slice(2);
const args = given.length === 0 ? ["agent", "-dev"] : given[0]?.startsWith("-") ? ["agent", ...given] : given;
const { main } = (await import(`./runtimes/${runtime}/main.ts`)) as { main(args: readonly string[]): Promise<void> };
await main(args);

export {};
