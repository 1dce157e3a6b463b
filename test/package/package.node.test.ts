// The package as a user has it: what is in it, its `proconsul` command and its exports, on each runtime.
import assert from "node:assert/strict";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { RUNTIMES, runtimeCommand, startAgentProcess } from "../conformance/agent-process.ts";
import { type BuiltPackage, installBuiltPackage, runProgram } from "./built-package.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
/** A package that grows past this has something in it that nobody meant to ship. */
const UNPACKED_BYTES_MAX = 4 << 20;

/** The program of docs/embedding.md. */
const embedding = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, "docs/embedding.md"), "utf8"))?.[1] ?? "";

describe("package", () => {
  let built: BuiltPackage;
  before(async () => {
    built = await installBuiltPackage();
  });
  after(() => built?.remove());

  test("package: it has the built files and what a reader needs, and nothing else", () => {
    const expected =
      /^(?:dist\/(?:[\w-]+\/)?[\w-]+\.(?:js|d\.ts)|(?:ARCHITECTURE|CHANGELOG|README|SECURITY)\.md|LICENSE|package\.json)$/;
    assert.deepEqual(
      built.files.filter((path) => !expected.test(path)),
      [],
    );
    for (const path of ["dist/cli.js", "dist/index.js", "dist/index.d.ts", "README.md", "LICENSE"])
      assert.ok(built.files.includes(path), path);
    assert.ok(built.unpackedBytes < UNPACKED_BYTES_MAX, `${built.unpackedBytes} bytes`);
  });

  test("package: the installed command runs by its name", async () => {
    const { code, out } = await runProgram([join(built.dir, "node_modules/.bin/proconsul"), "version"], built.dir);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^Proconsul v${version.replaceAll(".", "\\.")}\n`));
  });

  for (const runtime of RUNTIMES) {
    test(`package: on ${runtime}, the command runs an agent and talks to it`, async () => {
      const command = [...runtimeCommand(runtime), join(built.dir, "node_modules/proconsul/dist/cli.js")];
      const agent = await startAgentProcess(command);
      try {
        assert.match(agent.log(), new RegExp(`Version: '${version.replaceAll(".", "\\.")}' .*\\b${runtime}\\)`));
        const tool = (...words: string[]): ReturnType<typeof runProgram> =>
          runProgram([...command, ...words], built.dir, { CONSUL_HTTP_ADDR: agent.base });
        assert.deepEqual(await tool("kv", "put", "a/key", "some value"), {
          code: 0,
          out: "Success! Data written to: a/key\n",
          err: "",
        });
        assert.deepEqual(await tool("kv", "get", "a/key"), { code: 0, out: "some value\n", err: "" });
        assert.equal((await tool("kv", "get", "a/none")).code, 1);
        assert.match((await tool("members")).out, /^n1 .*alive/m);
        const wrong = await tool("agent", "-no-such-flag");
        assert.equal(wrong.code, 1);
        assert.match(wrong.err, /no-such-flag/);
      } finally {
        await agent.stop();
      }
    });

    test(`package: on ${runtime}, the exports make an agent inside another program`, async () => {
      const file = join(built.dir, `embedded-${runtime}.ts`);
      writeFileSync(
        file,
        `${embedding.replaceAll("proconsul/node", `proconsul/${runtime}`).replaceAll("./data", `./data-${runtime}`)}
import { OperationalError } from "proconsul";
const { default: own } = await import("proconsul/package.json", { with: { type: "json" } });
console.log(own.version);
// One class, whichever entry it comes by.
const options = { address: "127.0.0.1", port: 0, connectionsPerClientMax: 1 };
const first = await listenHttp(() => Promise.reject(new Error("never asked")), options);
await listenHttp(running.handle, { ...options, port: first.port }).catch((error: unknown) => console.log(error instanceof OperationalError));
process.exit(0);
`,
      );
      const { code, out, err } = await runProgram([...runtimeCommand(runtime), file], built.dir);
      assert.equal(code, 0, err);
      assert.equal(out, `hello\n${version}\ntrue\n`);
    });
  }

  test("package: its types serve a program that is checked strictly", async () => {
    const options = {
      target: "ES2023",
      module: "NodeNext",
      lib: ["ES2023", "DOM", "DOM.Iterable"],
      types: ["node"],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
    };
    writeFileSync(join(built.dir, "program.ts"), `${embedding}\nimport "proconsul/bun";\nimport "proconsul/deno";\n`);
    writeFileSync(
      join(built.dir, "tsconfig.json"),
      JSON.stringify({ compilerOptions: options, files: ["program.ts"] }),
    );
    symlinkSync(join(root, "node_modules/@types"), join(built.dir, "node_modules/@types"));
    const { code, out } = await runProgram([join(root, "node_modules/.bin/tsc"), "-p", built.dir], built.dir);
    assert.equal(code, 0, out);
  });
});
