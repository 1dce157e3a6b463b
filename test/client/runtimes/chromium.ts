// A headless Chromium that visits the page of a harness and waits for its report: nothing of it is driven, the page does all.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Harness } from "./harness.ts";

const REPORT_MS = 90_000;

/** The program; null where there is none. */
export async function findChromium(): Promise<string | null> {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    const found = await promisify(execFile)("which", [name]).catch(() => null);
    if (found !== null) return found.stdout.trim();
  }
  return null;
}

/** Pages for a harness: one that runs the script. */
export function page(script: string): Record<string, { type: string; body: string }> {
  return {
    "/": { type: "text/html", body: '<!doctype html><script type="module" src="/script.js"></script>' },
    "/script.js": { type: "text/javascript", body: script },
  };
}

/** For the head of a page's script: `report(value)`, also of what nobody caught. */
export const reporting: string = `
  const report = (value: unknown) => fetch("/report", { method: "POST", body: JSON.stringify(value) });
  addEventListener("error", ({ message }) => void report([{ name: "page", error: message }]));`;

/** Opens the page and gives what it reports. @throws Error when it reports nothing in its time */
export async function visit(program: string, harness: Harness): Promise<unknown> {
  const profile = mkdtempSync(join(tmpdir(), "proconsul-chromium-"));
  const words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
  const child = spawn(program, [...words, `--user-data-dir=${profile}`, harness.base], { stdio: "ignore" });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const late = setTimeout(() => child.kill("SIGKILL"), REPORT_MS);
  try {
    const died = ended.then((code): never => {
      throw new Error(`Chromium ended with ${code} and no report within ${REPORT_MS} ms`);
    });
    return JSON.parse(await Promise.race([harness.report, died])) as unknown;
  } finally {
    clearTimeout(late);
    child.kill("SIGKILL");
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
