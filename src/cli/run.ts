// From words to a command and its exit code: 0 done, 1 failed, 127 no such command; a command may have codes of its own.
import { ClientError } from "../client/transport.ts";
import { FlagValues, parseFlags } from "../config/flags.ts";
import { OperationalError } from "../types/error.ts";
import type { Command } from "./command.ts";
import { CliError, Invocation, program, UsageError } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { versionText } from "./commands/version.ts";
import { errorText } from "./error-text.ts";
import { commandHelp, flagsOf, programHelp } from "./help.ts";
import type { CliIo } from "./io.ts";

/** Runs the command that `io.args` name; gives the exit code. Only a bug makes it reject. */
export async function runCli(io: CliIo, table: readonly Command[] = commandTable): Promise<number> {
  const { args } = io;
  const first = args[0];
  if (first !== undefined && first.startsWith("-")) return programFlag(io, table, first);
  const command = findCommand(table, args);
  if (command === null) {
    io.stderr(`${programHelp(table)}\n`);
    return 127;
  }
  return runCommand(io, table, command, args.slice(command.name.split(" ").length));
}

/** The command with the longest name that `words` begin with. */
function findCommand(table: readonly Command[], words: readonly string[]): Command | null {
  let found: Command | null = null;
  for (const command of table) {
    const name = command.name.split(" ");
    const longer = found === null || command.name.length > found.name.length;
    if (longer && name.every((word, at) => words[at] === word)) found = command;
  }
  return found;
}

function programFlag(io: CliIo, table: readonly Command[], flag: string): number {
  if (isHelpFlag(flag)) {
    io.stdout(`${programHelp(table)}\n`);
    return 0;
  }
  if (flag === "-v" || flag === "-version" || flag === "--version") {
    io.stdout(`${versionText(io.version)}\n`);
    return 0;
  }
  io.stderr(`Flags stand after the command: ${program} <command> ${flag}\n\n${programHelp(table)}\n`);
  return 1;
}

async function runCommand(
  io: CliIo,
  table: readonly Command[],
  command: Command,
  words: readonly string[],
): Promise<number> {
  const help = (): string => `${commandHelp(table, command)}\n`;
  if (command.run === undefined) {
    if (!words.some(isHelpFlag)) {
      io.stderr(help());
      return 1;
    }
    io.stdout(help());
    return 0;
  }
  const parsed = command.raw ? { flags: new FlagValues(new Map(), words) } : parseFlags(flagsOf(command), words);
  const wanted = "error" in parsed ? parsed.help : !command.passthrough && !command.raw && asksHelp(parsed.flags.args);
  if (wanted) {
    io.stdout(help());
    return 0;
  }
  if ("error" in parsed) {
    io.stderr(`${parsed.error}\n\n${help()}`);
    return 1;
  }
  try {
    return await command.run(new Invocation(io, parsed.flags));
  } catch (error) {
    if (error instanceof UsageError) io.stderr(`${error.message}\n\n${help()}`);
    else if (error instanceof CliError || error instanceof OperationalError) io.stderr(`${error.message}\n`);
    else if (error instanceof ClientError) io.stderr(`Error querying Consul agent: ${errorText(error)}\n`);
    else throw error;
    return 1;
  }
}

function isHelpFlag(word: string): boolean {
  return word === "-h" || word === "-help" || word === "--help";
}

/** Help after operands: "kv get key -h". */
function asksHelp(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  return (end < 0 ? words : words.slice(0, end)).some(isHelpFlag);
}
