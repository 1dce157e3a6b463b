// The built package, installed in a folder of its own as a user has it: `npm run build`, `npm pack`, `npm install`. Nothing is
// fetched: the packages it depends on are packed from what the project has installed.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../../", import.meta.url));
const STEP_MS = 300_000;

export interface BuiltPackage {
  /** The folder that it is installed in. */
  readonly dir: string;
  /** Paths of the files in the package. */
  readonly files: readonly string[];
  readonly unpackedBytes: number;
  remove(): void;
}

export interface Ran {
  code: number;
  out: string;
  err: string;
}

/** Runs a program to its end. @param words the program and its arguments */
export async function runProgram(
  words: readonly string[],
  cwd: string,
  more: Record<string, string> = {},
): Promise<Ran> {
  // The Node that is installed with the project, whatever the machine has.
  const PATH = join(root, "node_modules/.bin") + delimiter + process.env.PATH;
  const env = { ...process.env, PATH, NO_COLOR: "1", ...more };
  try {
    const { stdout, stderr } = await promisify(execFile)(words[0] as string, words.slice(1), {
      cwd,
      env,
      timeout: STEP_MS,
      maxBuffer: 64 << 20,
    });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code?: number | string; stdout?: string; stderr?: string };
    if (typeof code !== "number") throw error;
    return { code, out: stdout, err: stderr };
  }
}

async function succeed(words: readonly string[], cwd: string): Promise<string> {
  const { code, out, err } = await runProgram(words, cwd);
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}\n${out}\n${err}`);
  return out;
}

interface Packed {
  filename: string;
  unpackedSize: number;
  files: { path: string }[];
}

/** Builds, packs and installs. @throws Error with what the step that failed has written. */
export async function installBuiltPackage(): Promise<BuiltPackage> {
  const temporary = mkdtempSync(join(tmpdir(), "proconsul-package-"));
  const packs = join(temporary, "packs");
  const dir = join(temporary, "installed");
  try {
    mkdirSync(packs);
    mkdirSync(dir);
    await succeed(["npm", "run", "--silent", "build"], root);
    const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    const folders = [".", ...Object.keys(dependencies).map((name) => `./node_modules/${name}`)];
    const packed: Packed[] = [];
    for (const folder of folders) {
      const out = await succeed(
        ["npm", "pack", "--json", "--ignore-scripts", "--pack-destination", packs, folder],
        root,
      );
      const listed = JSON.parse(out) as Packed[] | Record<string, Packed>;
      packed.push(Object.values(listed)[0] as Packed);
    }
    writeFileSync(join(dir, "package.json"), JSON.stringify({ private: true, type: "module" }));
    const archives = packed
      .map(({ filename }) => join(packs, filename.replaceAll("/", "-").replace("@", "")))
      .map(existing);
    await succeed(["npm", "install", "--offline", "--no-audit", "--no-fund", ...archives], dir);
    const [own] = packed as [Packed];
    return {
      dir,
      files: own.files.map(({ path }) => path),
      unpackedBytes: own.unpackedSize,
      remove: () => rmSync(temporary, { recursive: true, force: true }),
    };
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

function existing(path: string): string {
  if (!existsSync(path)) throw new Error(`npm pack did not write ${path}`);
  return path;
}
