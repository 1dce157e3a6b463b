import assert from "node:assert/strict";
import { test } from "node:test";
import { webCipher } from "../../../runtimes/browser/cipher.ts";
import { cipher } from "../../../runtimes/node/cipher.ts";

const bytes = (length: number, seed: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, at) => (at * 31 + seed) & 255);
const [secret, nonce, aad] = [bytes(32, 1), bytes(12, 2), bytes(5, 3)];

test("what one cipher seals the other opens, and the room for a head is the caller's", async () => {
  const [web, native] = [webCipher.key(secret), cipher.key(secret)];
  for (const length of [0, 1, 5_000]) {
    const plain = bytes(length, 4);
    const sealed = await web.seal(nonce, aad, plain, 7);
    assert.equal(sealed.length, 7 + length + 16);
    assert.deepEqual(new Uint8Array(sealed), new Uint8Array(await native.seal(nonce, aad, plain, 7)));
    assert.deepEqual(new Uint8Array((await native.open(nonce, aad, sealed.subarray(7))) ?? bytes(1, 9)), plain);
    assert.deepEqual(await web.open(nonce, aad, sealed.subarray(7)), plain);
  }
});

test("what was changed, or is too short, is not opened", async () => {
  const key = webCipher.key(secret);
  const sealed = await key.seal(nonce, aad, bytes(100, 4), 0);
  assert.equal(await key.open(nonce, bytes(5, 4), sealed), null);
  assert.equal(await key.open(bytes(12, 9), aad, sealed), null);
  assert.equal(await webCipher.key(bytes(32, 9)).open(nonce, aad, sealed), null);
  sealed[3] = (sealed[3] ?? 0) ^ 1;
  assert.equal(await key.open(nonce, aad, sealed), null);
  assert.equal(await key.open(nonce, aad, bytes(3, 1)), null);
});
