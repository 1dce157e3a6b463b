// The query part of a target, parsed when first asked: most hot requests never ask.

/** Parameters in order of appearance; a repeated one keeps all its values. */
export class QueryString {
  /** As sent, without the `?`. */
  readonly text: string;
  #pairs: [string, string][] | null = null;

  constructor(text: string) {
    this.text = text;
  }

  /** The first value; "" when the parameter stands without one; null when absent. */
  get(name: string): string | null {
    for (const [key, value] of this.pairs) if (key === name) return value;
    return null;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  all(name: string): string[] {
    const values: string[] = [];
    for (const [key, value] of this.pairs) if (key === name) values.push(value);
    return values;
  }

  get pairs(): readonly [string, string][] {
    if (this.#pairs !== null) return this.#pairs;
    const pairs: [string, string][] = [];
    if (this.text !== "")
      for (const part of this.text.split("&")) {
        if (part === "") continue;
        const at = part.indexOf("=");
        pairs.push(at < 0 ? [decode(part), ""] : [decode(part.slice(0, at)), decode(part.slice(at + 1))]);
      }
    this.#pairs = pairs;
    return pairs;
  }

  /** The text again with the parameters sorted by name, as Go's `url.Values.Encode` prints them. */
  encode(): string {
    const sorted = [...this.pairs].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return sorted.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join("&");
  }
}

/** Percent-decoding that keeps what it cannot decode. */
function decode(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
