// What a command is, and what it is given when it runs. The table of all of them is `command-table.ts`; parsing of words,
// help and errors are the same for each and live in `run.ts`.
import type { Client } from "../client/client.ts";
import type { ReadOptions } from "../client/transport.ts";
import type { FlagSpec, FlagValues } from "../config/flags.ts";
import { utf8 } from "../util/bytes.ts";
import { CliError, UsageError } from "./cli-error.ts";
import { connect } from "./connection.ts";
import type { CliIo } from "./io.ts";

export { CliError, UsageError } from "./cli-error.ts";

/** The program's name in usage lines. */
export const program = "proconsul";

/** An entry of the command table. */
export interface Command {
  /** The words that call it: "kv get". */
  readonly name: string;
  /** One line, for the list of commands. */
  readonly synopsis: string;
  /** What follows the name in the usage line: "[options] KEY [DATA]". */
  readonly operands?: string;
  /** Paragraphs for the help, with examples indented. */
  readonly help?: string;
  readonly flags?: readonly FlagSpec[];
  /** It talks to an agent: it takes the flags of the connection too. */
  readonly http?: boolean;
  /** The words after the first that is no flag belong to another program, so `-h` among them asks for no help. */
  readonly passthrough?: boolean;
  /** No word is read as a flag here: all come as `args`. */
  readonly raw?: boolean;
  /** Left out of the lists of commands. */
  readonly hidden?: boolean;
  /** Absent for a mere group of commands. Gives the exit code. @throws CliError, UsageError, ClientError */
  run?(call: Invocation): Promise<number>;
}

/** One run of one command. */
export class Invocation {
  readonly io: CliIo;
  readonly flags: FlagValues;
  #client: Promise<Client> | null = null;

  constructor(io: CliIo, flags: FlagValues) {
    this.io = io;
    this.flags = flags;
  }

  /** The words after the flags. */
  get args(): readonly string[] {
    return this.flags.args;
  }

  /** Writes a line of output. */
  print(line: string): void {
    this.io.stdout(`${line}\n`);
  }

  /** Writes a line of errors, warnings or progress. */
  warn(line: string): void {
    this.io.stderr(`${line}\n`);
  }

  /** The client that flags and environment describe; made once. @throws CliError when they make no sense. */
  client(): Promise<Client> {
    this.#client ??= connect(this.io, this.flags);
    return this.#client;
  }

  /** The bytes of a file, or of standard input for "-". @throws CliError */
  async readFile(path: string, what: string = "file"): Promise<Uint8Array> {
    if (path === "-") return this.io.stdin();
    try {
      return await this.io.readFile(path);
    } catch (error) {
      throw new CliError(`Failed to read ${what}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** What an operand stands for: "-" standard input, "@path" a file, all else itself. @throws CliError */
  async readOperand(operand: string): Promise<Uint8Array> {
    if (operand === "-") return this.io.stdin();
    return operand.startsWith("@") ? this.readFile(operand.slice(1)) : utf8(operand);
  }

  /** What `-stale` asks of every read. */
  get reads(): ReadOptions {
    return this.flags.bool("stale") ? { consistency: "stale" } : {};
  }

  /** A signal that is aborted when the user wants the command to end, while `act` runs. */
  async interruptible<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const off = this.io.onSignal(() => controller.abort());
    try {
      return await act(controller.signal);
    } finally {
      off();
    }
  }

  /** The one operand. @throws UsageError when there are none or more. */
  sole(what: string): string {
    const [first, ...more] = this.args;
    if (first === undefined) throw new UsageError(`Missing ${what} argument`);
    if (more.length > 0) throw tooMany(1, this.args.length);
    return first;
  }

  /** For a command without operands. @throws UsageError when there is one. */
  none(): void {
    if (this.args.length > 0) throw tooMany(0, this.args.length);
  }
}

export function tooMany(expected: number | string, got: number): UsageError {
  return new UsageError(`Too many arguments (expected ${expected}, got ${got})`);
}
