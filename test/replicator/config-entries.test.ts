// What a secondary writes to have the primary's configuration entries: a table of differences, and its bounds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type EntriesBatch, entriesBatch } from "../../src/replicator/config-entries.ts";
import type { ConfigEntry } from "../../src/types/records.ts";

const entry = (Name: string, Protocol = "http", index = 5): ConfigEntry => ({
  Kind: "service-defaults",
  Name,
  Protocol,
  CreateIndex: index,
  ModifyIndex: index,
});

const said = (batch: EntriesBatch | null): string[] =>
  (batch?.commands ?? []).map((command) =>
    command.type === "config.set"
      ? `set ${command.entry.Name} ${String(command.entry["Protocol"])}`
      : `delete ${command.name}`,
  );

const TABLE: readonly (readonly [string, ConfigEntry[], ConfigEntry[], string[]])[] = [
  ["both empty", [], [], []],
  ["the same, at other indexes", [entry("a", "http", 9)], [entry("a")], []],
  ["one more there", [entry("a"), entry("b")], [entry("a")], ["set b http"]],
  ["one more here", [entry("a")], [entry("a"), entry("b")], ["delete b"]],
  ["another content", [entry("a", "grpc")], [entry("a")], ["set a grpc"]],
  ["a name in another case is the same entry", [entry("A", "grpc")], [entry("a")], ["set A grpc"]],
  ["sets come before deletions", [entry("z")], [entry("a")], ["set z http", "delete a"]],
];

for (const [title, remote, local, expected] of TABLE)
  test(`config entries: ${title}`, () => assert.deepEqual(said(entriesBatch(remote, local)), expected));

test("config entries: what gives way is named with its content", () => {
  const batch = entriesBatch([entry("a", "grpc")], [entry("a"), entry("b")]);
  assert.deepEqual(
    batch?.replaced.map(({ Name, Protocol }) => [Name, Protocol]),
    [
      ["a", "http"],
      ["b", "http"],
    ],
  );
});

test("config entries: a batch is bounded in number and in size, and the batches together are the difference", () => {
  const remote = Array.from({ length: 150 }, (_, i) => entry(`n${i}`));
  let local: ConfigEntry[] = [entry("gone")];
  const sizes: number[] = [];
  for (let batch = entriesBatch(remote, local); batch !== null; batch = entriesBatch(remote, local)) {
    sizes.push(batch.commands.length);
    for (const command of batch.commands)
      if (command.type === "config.delete") local = local.filter(({ Name }) => Name !== command.name);
      else local.push({ ...command.entry, CreateIndex: 1, ModifyIndex: 1 } as ConfigEntry);
  }
  assert.deepEqual(sizes, [64, 64, 23]);
  const large = [entry("a", "x".repeat(200_000)), entry("b", "x".repeat(200_000))];
  assert.equal(entriesBatch(large, [])?.commands.length, 1);
  assert.equal(entriesBatch([entry("a", "x".repeat(900_000))], [])?.commands.length, 1);
});
