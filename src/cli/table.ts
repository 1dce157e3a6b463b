// Aligned columns, in the two forms Consul prints: tables with a header, and rows with a wide gap.

/** Columns two spaces apart, the last one ragged. The text ends without a newline. */
export function columns(rows: readonly (readonly string[])[]): string {
  return align(rows, 2);
}

/** The form of Go's tabwriter as Consul sets it: six spaces between the longest cell and the next column. */
export function wideColumns(rows: readonly (readonly string[])[]): string {
  return align(rows, 6);
}

function align(rows: readonly (readonly string[])[], gap: number): string {
  const widths: number[] = [];
  for (const row of rows)
    for (let i = 0; i < row.length; i++) widths[i] = Math.max(widths[i] ?? 0, width(row[i] ?? ""));
  const lines = rows.map((row) => {
    let line = "";
    for (let i = 0; i < row.length; i++) {
      const cell = row[i] ?? "";
      line += i === row.length - 1 ? cell : cell + " ".repeat((widths[i] ?? 0) - width(cell) + gap);
    }
    return line.trimEnd();
  });
  return lines.join("\n");
}

/** Characters, not UTF-16 units. */
function width(cell: string): number {
  return [...cell].length;
}
