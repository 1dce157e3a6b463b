// Which runtime this is, and the command line on it. Each runtime's own code is imported only there.
declare const Bun: unknown;
declare const Deno: unknown;

/** Runs one command line and ends the process with its exit code. @param args the words after the program's name. */
export async function main(args: readonly string[]): Promise<void> {
  const runtime =
    typeof Bun !== "undefined"
      ? await import("./bun/main.ts")
      : typeof Deno !== "undefined"
        ? await import("./deno/main.ts")
        : await import("./node/main.ts");
  await runtime.main(args);
}
