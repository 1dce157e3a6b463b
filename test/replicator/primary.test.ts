// Which word about the primary is believed: a table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { primaryBatch } from "../../src/replicator/primary.ts";
import type { Primary } from "../../src/types/records.ts";

/** Moved by the datacenter `From`. */
const primary = (Datacenter: string, Epoch: number, Family = "dc1", From = "dc1"): Primary => ({
  Datacenter,
  Epoch,
  From,
  Family,
});

interface Row {
  title: string;
  /** Who hears it, and what it knows. */
  here: string;
  known: Primary;
  from: string;
  told: Primary | null;
  does: string;
}

const TABLE: readonly Row[] = [
  { title: "nothing is said", here: "dc3", known: primary("dc1", 0), from: "dc1", told: null, does: "nothing" },
  { title: "a move", here: "dc3", known: primary("dc1", 0), from: "dc1", told: primary("dc2", 1), does: "follow dc2" },
  {
    title: "by way of a third",
    here: "dc3",
    known: primary("dc1", 0),
    from: "dc2",
    told: primary("dc2", 1),
    does: "follow dc2",
  },
  {
    title: "an older one",
    here: "dc3",
    known: primary("dc2", 2),
    from: "dc1",
    told: primary("dc1", 1),
    does: "nothing",
  },
  {
    title: "the same one",
    here: "dc3",
    known: primary("dc2", 1),
    from: "dc1",
    told: primary("dc2", 1),
    does: "nothing",
  },
  {
    title: "one of equal epoch and a greater name",
    here: "dc1",
    known: primary("dc2", 1),
    from: "dc3",
    told: primary("dc3", 1),
    does: "follow dc3",
  },
  {
    title: "one of equal epoch and a lesser name",
    here: "dc3",
    known: primary("dc3", 1),
    from: "dc2",
    told: primary("dc2", 1),
    does: "nothing",
  },
  {
    title: "the old primary names this one",
    here: "dc2",
    known: primary("dc1", 0),
    from: "dc1",
    told: primary("dc2", 1),
    does: "take over from dc1",
  },
  {
    title: "a third says that this one is named",
    here: "dc2",
    known: primary("dc1", 0),
    from: "dc3",
    told: primary("dc2", 1),
    does: "nothing",
  },
  {
    title: "a datacenter that is not known here to be the primary steps down in favour of this one",
    here: "dc2",
    known: primary("dc1", 1),
    from: "dc3",
    told: primary("dc2", 3, "dc1", "dc3"),
    does: "take over from dc3",
  },
  {
    title: "the primary was taken by force meanwhile",
    here: "dc1",
    known: primary("dc1", 0),
    from: "dc2",
    told: primary("dc2", 1),
    does: "follow dc2",
  },
  {
    title: "a stranger's family",
    here: "dc3",
    known: primary("dc3", 0, "dc3"),
    from: "dc1",
    told: primary("dc2", 1),
    does: "nothing",
  },
  {
    title: "a stranger's family, said by who is the primary here",
    here: "dc4",
    known: primary("dc2", 0, "dc2"),
    from: "dc2",
    told: primary("dc2", 1),
    does: "follow dc2",
  },
];

for (const { title, here, known, from, told, does } of TABLE)
  test(`the word about the primary: ${title}`, () => {
    const batch = primaryBatch({ datacenter: here, primary: () => known }, from, told);
    const done =
      batch === null
        ? "nothing"
        : batch.type === "follow"
          ? `follow ${batch.primary.Datacenter}`
          : `take over from ${batch.from}`;
    assert.equal(done, does);
  });
