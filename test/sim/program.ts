// The program of `npm run sim`. A bug that is to be planted must be planted before the product is read, so this comes first.
import process from "node:process";

const words = process.argv.slice(2);
const at = words.findIndex((word) => word === "--bug" || word.startsWith("--bug="));
if (words.includes("--bugs")) await import("./bugs/main.ts");
else if (at < 0) await import("./main.ts");
else {
  const word = words[at] as string;
  const isTwo = word === "--bug";
  const name = isTwo ? (words[at + 1] ?? "") : word.slice("--bug=".length);
  const { BUGS, bugNamed } = await import("./bugs/table.ts");
  const bug = bugNamed(name);
  if (name === "list") for (const each of BUGS) console.log(`${each.name.padEnd(34)}${each.what}`);
  else if (bug === undefined) throw new Error(`there is no bug ${name}: see --bug list`);
  else if (words.some((other) => /^--(?:jobs|runtime)\b/.test(other)))
    throw new Error("--bug works in this process alone: not with --jobs or --runtime");
  else {
    process.argv.splice(2 + at, isTwo ? 2 : 1);
    (await import("./bugs/plant.ts")).plant(bug);
    await import("./main.ts");
  }
}
