// Text in double quotes as Go's %q writes it: error messages that users of Consul know contain it.

const named: ReadonlyMap<string, string> = new Map([
  ["\u0007", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
  ["\\", "\\\\"],
  ['"', '\\"'],
]);

/** What Go does not print as it is: control and format characters, separators other than the space, surrogates. */
const special = /["\\\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

/** Go's `strconv.Quote`. */
export function quote(text: string): string {
  return `"${text.replace(special, escapeOf)}"`;
}

function escapeOf(char: string): string {
  const name = named.get(char);
  if (name !== undefined) return name;
  const code = char.codePointAt(0)!;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x1_0000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}
