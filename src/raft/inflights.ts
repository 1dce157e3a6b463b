// The messages with entries that are under way to one follower: a window, so that a slow follower is not flooded.

/** First in, first out; a message leaves when its last entry is acknowledged. */
export class Inflights {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  readonly #lastIndexes: number[] = [];
  readonly #bytes: number[] = [];
  #bytesTotal = 0;

  constructor(messagesMax: number, bytesMax: number) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#lastIndexes.length;
  }

  get isFull(): boolean {
    return this.#lastIndexes.length >= this.#messagesMax || this.#bytesTotal >= this.#bytesMax;
  }

  /** A message whose last entry is `lastIndex` was sent. */
  add(lastIndex: number, bytes: number): void {
    this.#lastIndexes.push(lastIndex);
    this.#bytes.push(bytes);
    this.#bytesTotal += bytes;
  }

  /** Everything up to `index` has arrived. */
  freeTo(index: number): void {
    let freed = 0;
    while (freed < this.#lastIndexes.length && this.#lastIndexes[freed]! <= index) {
      this.#bytesTotal -= this.#bytes[freed]!;
      freed += 1;
    }
    if (freed === 0) return;
    this.#lastIndexes.splice(0, freed);
    this.#bytes.splice(0, freed);
  }

  reset(): void {
    this.#lastIndexes.length = 0;
    this.#bytes.length = 0;
    this.#bytesTotal = 0;
  }
}
