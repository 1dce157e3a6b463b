// Plants one bug into the product as it is loaded, in this process only: a line of a module of src is another line when
// Node reads it. Nothing of this is in the package. Call `plant` before anything of src is imported.
import { registerHooks } from "node:module";
import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Bug } from "./bug.ts";

const root = new URL("../../../", import.meta.url);

/** The text of a bug's file with the bug in it. @throws Error when what is to be replaced is not there exactly once. */
export function mutate(bug: Bug, edit: Bug["edits"][number], source: string): string {
  const parts = source.split(edit.find);
  if (parts.length !== 2)
    throw new Error(`${bug.name}: what is to be replaced in ${edit.file} is there ${parts.length - 1} times, not once`);
  return parts.join(edit.replace);
}

/** The texts of all files that the bug changes, by path. */
export function mutated(bug: Bug): Map<string, string> {
  const texts = new Map<string, string>();
  for (const edit of bug.edits) {
    const source = texts.get(edit.file) ?? readFileSync(new URL(edit.file, root), "utf8");
    texts.set(edit.file, mutate(bug, edit, source));
  }
  return texts;
}

/** From now on the product has the bug. */
export function plant(bug: Bug): void {
  const texts = new Map([...mutated(bug)].map(([file, text]) => [new URL(file, root).href, text]));
  registerHooks({
    load(url, context, nextLoad) {
      const source = texts.get(url);
      return source === undefined
        ? nextLoad(url, context)
        : { format: "module-typescript", source, shortCircuit: true };
    },
  });
}

/** A path of the repository as the address of a module. */
export function moduleUrl(file: string): string {
  return pathToFileURL(fileURLToPath(new URL(file, root))).href;
}
