// Configuration files as `-config-file` and `-config-dir` name them, read into sources for config/merge.ts.
import type { ConfigFormat, ConfigSource } from "../config/merge.ts";
import { configFormat, orderConfigDir } from "../config/merge.ts";
import { text } from "../util/bytes.ts";
import { CliError } from "./command.ts";
import type { CliIo } from "./io.ts";

export interface ConfigFiles {
  sources: ConfigSource[];
  warnings: string[];
}

/**
 * Reads files and, in the order of their names, the files of directories (not of those below them).
 * @param forced the format of all files, whatever their extension.
 * @throws CliError when one cannot be read.
 */
export async function readConfigFiles(
  io: Pick<CliIo, "readFile" | "listDir" | "stat">,
  paths: readonly string[],
  forced: ConfigFormat | null,
): Promise<ConfigFiles> {
  const found: ConfigFiles = { sources: [], warnings: [] };
  for (const path of paths) {
    const info = await io.stat(path);
    if (info === null) throw new CliError(`config: Open failed on ${path}. open ${path}: no such file or directory`);
    if (info.isDirectory) await readDirectory(io, path, forced, found);
    else if (configFormat(path, forced) !== null) found.sources.push(await readSource(io, path, forced));
    else found.warnings.push(`skipping file ${path}, extension must be .hcl or .json, or config format must be set`);
  }
  return found;
}

async function readDirectory(
  io: Pick<CliIo, "readFile" | "listDir" | "stat">,
  directory: string,
  forced: ConfigFormat | null,
  into: ConfigFiles,
): Promise<void> {
  const names: string[] = [];
  for (const name of await attempt(directory, () => io.listDir(directory)))
    if ((await io.stat(`${directory}/${name}`))?.isDirectory === false) names.push(name);
  const { files, warnings } = orderConfigDir(directory, names, forced);
  into.warnings.push(...warnings);
  for (const name of files) into.sources.push(await readSource(io, `${directory}/${name}`, forced));
}

async function readSource(
  io: Pick<CliIo, "readFile">,
  path: string,
  forced: ConfigFormat | null,
): Promise<ConfigSource> {
  const bytes = await attempt(path, () => io.readFile(path));
  return { name: path, format: configFormat(path, forced) ?? "hcl", text: text(bytes) };
}

async function attempt<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new CliError(`config: Open failed on ${path}. ${(error as Error).message}`, { cause: error });
  }
}
