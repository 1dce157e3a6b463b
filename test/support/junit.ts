// Reads the JUnit reports that Bun and Deno write of a test run.

/** What became of the tests of one file. */
export interface FileReport {
  /** Path as the report has it, without "./". */
  file: string;
  passed: number;
  skipped: number;
  failures: { name: string; message: string }[];
  /** How often each name of a test, or of a suite of the file, was reported, whatever its outcome. */
  names: Map<string, number>;
}

const TAG = /<(\/?)([a-z]+)((?:\s+[\w-]+="[^"]*")*)\s*(\/?)>/g;
const ATTRIBUTE = /([\w-]+)="([^"]*)"/g;
const ENTITIES: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

interface Case {
  name: string;
  outcome: "passed" | "skipped" | "failed";
  message: string;
}

/** The files of a report, in its order. */
export function parseJunit(xml: string): FileReport[] {
  const reports: FileReport[] = [];
  let depth = 0;
  let current: FileReport | null = null;
  let test: Case | null = null;
  let textFrom: number | null = null;
  for (const match of xml.matchAll(TAG)) {
    const [tag, closing, element, written, empty] = match as unknown as [string, string, string, string, string];
    const attributes = closing ? new Map<string, string>() : attributesOf(written);
    const name = attributes.get("name") ?? "";
    switch (element) {
      case "testsuite":
        if (closing) {
          depth -= 1;
          break;
        }
        depth += empty ? 0 : 1;
        if (depth === 1) reports.push((current = fileReport(name.replace(/^\.\//, ""))));
        else if (current !== null) count(current.names, name);
        break;
      case "testcase":
        if (!closing) test = { name, outcome: "passed", message: "" };
        if (current !== null && test !== null && (closing || empty)) add(current, test, depth);
        break;
      case "skipped":
        if (test !== null) test.outcome = "skipped";
        break;
      case "failure":
      case "error":
        if (test === null) break;
        test.outcome = "failed";
        if (closing && textFrom !== null) test.message += `\n${unescape(xml.slice(textFrom, match.index))}`;
        else if (!closing) test.message = attributes.get("message") ?? "";
        textFrom = closing || empty ? null : match.index + tag.length;
        break;
      default:
    }
  }
  return reports;
}

function fileReport(file: string): FileReport {
  return { file, passed: 0, skipped: 0, failures: [], names: new Map() };
}

function add(report: FileReport, test: Case, depth: number): void {
  if (depth === 1) count(report.names, test.name);
  if (test.outcome === "failed") report.failures.push({ name: test.name, message: test.message });
  else report[test.outcome] += 1;
}

/** One more of that name. */
export function count(names: Map<string, number>, name: string): void {
  names.set(name, (names.get(name) ?? 0) + 1);
}

function attributesOf(written: string): Map<string, string> {
  return new Map(
    [...written.matchAll(ATTRIBUTE)].map(([, name, value]) => [name as string, unescape(value as string)]),
  );
}

function unescape(text: string): string {
  return text.replaceAll(
    /&(?:#(\d+)|#x([\da-f]+)|([a-z]+));/gi,
    (all, decimal?: string, hex?: string, entity?: string) => {
      if (entity !== undefined) return ENTITIES[entity] ?? all;
      return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal));
    },
  );
}
