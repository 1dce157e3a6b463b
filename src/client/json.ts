// JSON with exact uint64s (a bigint past 2^53) and bytes as base64, in a tenth of the size of util/json.ts, which also owes
// Go's words for what is wrong with a text: a client only reads what an agent has written, and must weigh little.

/** @throws SyntaxError */
export function parseJson(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  // Long integers become strings, and strings are marked, so that nobody's string can be taken for a number.
  const marked = text.replace(
    /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|(?<![\d.])-?\d{16,}(?![\d.eE])/g,
    (token, key?: string) => {
      if (key !== undefined) return token;
      if (token.startsWith('"')) return `"s${token.slice(1)}`;
      return Number.isSafeInteger(Number(token)) ? token : `"n${token}"`;
    },
  );
  return JSON.parse(marked, (_, value: unknown) => {
    if (typeof value !== "string") return value;
    return value.startsWith("s") ? value.slice(1) : BigInt(value.slice(1));
  });
}

/** Bigints are written as bare numbers, bytes as base64 strings; undefined fields are left out. */
export function stringifyJson(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return `"${encodeBase64(value)}"`;
  if (Array.isArray(value)) return `[${value.map(stringifyJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${stringifyJson(field)}`).join(",")}}`;
}

/** Standard base64, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** @throws DOMException when the text is not base64. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
