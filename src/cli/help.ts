// The texts of `-help`, generated from the command table.
import type { FlagSpec } from "../config/flags.ts";
import { usageText } from "../config/flags.ts";
import type { Command } from "./command.ts";
import { program } from "./command.ts";
import { connectionFlags } from "./connection.ts";

/** All flags a command takes. */
export function flagsOf(command: Command): readonly FlagSpec[] {
  const own = command.flags ?? [];
  return command.http ? [...own, ...connectionFlags] : own;
}

/** The help of the program: every command of one word. */
export function programHelp(table: readonly Command[]): string {
  return `Usage: ${program} [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n${list(table, "")}`;
}

/** The help of one command or group. */
export function commandHelp(table: readonly Command[], command: Command): string {
  const isGroup = command.run === undefined;
  const operands = isGroup ? "<subcommand> [options] [args]" : (command.operands ?? "[options]");
  const head = `Usage: ${program} ${command.name} ${operands}`.trimEnd();
  const body = indent(command.help ?? `${command.synopsis}.`);
  if (!isGroup) return usageText(`${head}\n\n${body}`, flagsOf(command));
  return `${head}\n\n${body}\n\nSubcommands:\n${list(table, `${command.name} `)}`;
}

/** The commands whose names are `prefix` and one more word. */
function list(table: readonly Command[], prefix: string): string {
  const rows = table
    .filter(({ name, hidden }) => !hidden && name.startsWith(prefix) && !name.slice(prefix.length).includes(" "))
    .map(({ name, synopsis }): [string, string] => [name.slice(prefix.length), synopsis])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, synopsis]) => `    ${name.padEnd(width)}    ${synopsis}`).join("\n");
}

function indent(text: string): string {
  return text
    .trim()
    .split("\n")
    .map((line) => (line === "" ? "" : `  ${line}`))
    .join("\n");
}
