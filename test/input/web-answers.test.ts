// What one client may hold of a server that gives requests rather than connections.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebAnswers } from "../../runtimes/web-answers.ts";
import { jsonReply, type Reply, reply } from "../../src/http/reply.ts";

interface Held {
  answer(reply: Reply): void;
}

/** Answers that wait until they are told; each context is an address. */
function setUp(max: number): { answers: WebAnswers<string>; held: Held[]; silent: string[] } {
  const held: Held[] = [];
  const silent: string[] = [];
  const answers = new WebAnswers<string>(
    (request) =>
      request.target === "/now" ? jsonReply("1") : new Promise((resolve) => held.push({ answer: resolve })),
    max,
    { address: (_request, address) => address, held: (_request, address, on) => silent.push(`${address} ${on}`) },
  );
  return { answers, held, silent };
}

const get = (signal?: AbortSignal): Request => new Request("http://h/x", signal === undefined ? {} : { signal });
const statusOf = async (answer: Response | Promise<Response>): Promise<number> => (await answer).status;
const isHeld = (answer: Response | Promise<Response>): boolean => answer instanceof Promise;

test("an address that holds its share is refused everything until one is answered; another address is not", async () => {
  const { answers, held, silent } = setUp(2);
  const [one, two] = [answers.answer(get(), "/wait", "a"), answers.answer(get(), "/wait", "a")];
  assert.ok(isHeld(one) && isHeld(two));
  for (const target of ["/wait", "/now"]) assert.equal(await statusOf(answers.answer(get(), target, "a")), 429);
  assert.equal(await statusOf(answers.answer(get(), "/now", "b")), 200);
  assert.ok(isHeld(answers.answer(get(), "/wait", "b")));
  held[0]?.answer(jsonReply("1"));
  assert.equal(await statusOf(one), 200);
  assert.equal(await statusOf(answers.answer(get(), "/now", "a")), 200);
  assert.ok(isHeld(answers.answer(get(), "/wait", "a")));
  assert.equal(await statusOf(answers.answer(get(), "/now", "a")), 429);
  assert.deepEqual(silent, ["a true", "a true", "b true", "a false", "a true"]);
});

test("what is answered at once is never counted", async () => {
  const { answers, silent } = setUp(1);
  for (let i = 0; i < 5; i++) assert.equal(await statusOf(answers.answer(get(), "/now", "a")), 200);
  assert.deepEqual(silent, []);
});

test("a client that goes away is counted no longer, though it is never answered", async () => {
  const { answers } = setUp(1);
  const leaving = new AbortController();
  assert.ok(isHeld(answers.answer(get(leaving.signal), "/wait", "a")));
  assert.equal(await statusOf(answers.answer(get(), "/now", "a")), 429);
  leaving.abort();
  assert.equal(await statusOf(answers.answer(get(), "/now", "a")), 200);
});

for (const end of ["closed by the agent", "given up by its reader"])
  test(`a stream is counted until it is ${end}`, async () => {
    const { answers, held } = setUp(1);
    let close: () => void = () => {};
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(controller) {
        controller.enqueue(new Uint8Array([1]));
        close = () => controller.close();
      },
    });
    const waiting = answers.answer(get(), "/wait", "a");
    held[0]?.answer(reply(200, [], body));
    const reader = ((await waiting).body as ReadableStream<Uint8Array>).getReader();
    assert.deepEqual((await reader.read()).value, new Uint8Array([1]));
    assert.equal(await statusOf(answers.answer(get(), "/now", "a")), 429);
    if (end === "closed by the agent") {
      close();
      assert.equal((await reader.read()).done, true);
    } else await reader.cancel();
    assert.equal(await statusOf(answers.answer(get(), "/now", "a")), 200);
  });

test("a changed limit counts from then on, and 0 is none", async () => {
  const { answers } = setUp(1);
  void answers.answer(get(), "/wait", "a");
  assert.equal(await statusOf(answers.answer(get(), "/now", "a")), 429);
  answers.limit(2);
  assert.equal(await statusOf(answers.answer(get(), "/now", "a")), 200);
  answers.limit(0);
  for (let i = 0; i < 5; i++) assert.ok(isHeld(answers.answer(get(), "/wait", "a")));
});
