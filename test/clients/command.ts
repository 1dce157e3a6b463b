// Runs the programs that people have, and finds out whether they are there.
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const RUN_MS = 30_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** False when the program is installed, else the reason to skip what needs it: what `skip` of a test takes. */
export function missing(program: string): string | false {
  const found = (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
  return found ? false : `${program} is not installed`;
}

/** Runs a program and gives what it wrote. @throws Error when it fails or takes more than 30 s. */
export function run(program: string, args: readonly string[], input?: Uint8Array | string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { encoding: "buffer", timeout: RUN_MS, maxBuffer: OUTPUT_BYTES_MAX },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${program} ${args.join(" ")}: ${error.message}\n${stderr.toString()}`));
      },
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** Starts a program and ends it when `close` is called; `output` is what it wrote so far. */
export function start(program: string, args: readonly string[]): { output(): string; close(): Promise<void> } {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], timeout: RUN_MS });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    output: () => output,
    close: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
