// The sum of many runs.
import { countedNames } from "./faults/table.ts";
import type { RunReport } from "./main.ts";

const HOUR_MS = 3_600_000;
const SECOND_MS = 1000;

export class Tally {
  simulatedMs = 0;
  failed = 0;
  #runs = 0;
  #wallMs = 0;
  #cpuMs = 0;
  #operations = 0;
  #slowestMs = 0;
  readonly #seeds: number[] = [];
  readonly #failedSeeds: number[] = [];
  readonly #fired = new Map<string, number>(countedNames.map((name) => [name, 0]));

  add({ seed, failed, simulatedMs, wallMs, cpuMs, operations, recoveryMs, fired }: RunReport): void {
    this.#runs += 1;
    this.#seeds.push(seed);
    if (failed) {
      this.failed += 1;
      this.#failedSeeds.push(seed);
    }
    this.simulatedMs += simulatedMs;
    this.#wallMs += wallMs;
    this.#cpuMs += cpuMs;
    this.#operations += operations;
    this.#slowestMs = Math.max(this.#slowestMs, recoveryMs);
    for (const [name, times] of fired) this.#fired.set(name, (this.#fired.get(name) ?? 0) + times);
  }

  /** @param wallMs of everything, when runs went on at the same time. */
  summary(wallMs: number = this.#wallMs): string {
    const fired = [...this.#fired].filter(([, times]) => times > 0);
    const idle = [...this.#fired].filter(([, times]) => times === 0).map(([name]) => name);
    const lines = [
      `faults that fired: ${fired.map(([name, times]) => `${name} ${times}`).join(", ") || "none"}`,
      ...(idle.length > 0 ? [`never: ${idle.join(", ")}`] : []),
      `slowest recovery ${Math.round(this.#slowestMs)} ms`,
    ];
    if (this.failed > 0) lines.push(`failing seeds: ${this.#failedSeeds.join(", ")}`);
    lines.push(
      `${this.#runs} runs, ${this.failed} failed: ${(this.simulatedMs / HOUR_MS).toFixed(2)} cluster-hours, ${this.#operations} operations, ${fired.length} kinds of fault, ${Math.round(wallMs / SECOND_MS)} s, ${Math.round(this.simulatedMs / wallMs)} simulated seconds a second, ${Math.round(this.simulatedMs / this.#cpuMs)} a second of processor time`,
    );
    return lines.join("\n");
  }
}
