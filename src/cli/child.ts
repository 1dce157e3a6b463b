// Programs that a command starts: by the shell, as people write command lines, or as they are.
import type { CliIo } from "./io.ts";

/** How to start `words`: joined and given to the user's shell, or themselves. */
export function commandLine(io: CliIo, words: readonly string[], shell: boolean): string[] {
  if (!shell) return [...words];
  const script = words.join(" ");
  if (io.env.OS === "Windows_NT") return [io.env.ComSpec ?? "cmd", "/C", script];
  return [io.env.SHELL || "/bin/sh", "-c", script];
}

/** This program's environment with more. */
export function childEnv(io: CliIo, more: Record<string, string>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(io.env)) if (value !== undefined) env[name] = value;
  return { ...env, ...more };
}
