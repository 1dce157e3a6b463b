// `lock`: runs a program while a lock, or one of a semaphore's slots, is held (the recipe is in client/lock.ts).
import type { Client } from "../../client/client.ts";
import type { Lock, LockOptions } from "../../client/lock.ts";
import { acquireLock } from "../../client/lock.ts";
import { acquireSemaphore } from "../../client/semaphore.ts";
import { nsPerMs } from "../../util/duration.ts";
import { childEnv, commandLine } from "../child.ts";
import type { Command, Invocation } from "../command.ts";
import { CliError, UsageError } from "../command.ts";
import { errorText } from "../error-text.ts";
import type { ChildHandle } from "../io.ts";

/** A program that was asked to end has this long before it is killed. */
const KILL_AFTER_MS = 5_000;
const CHILD_FAILED = 2;

export const lock: Command = {
  name: "lock",
  synopsis: "Runs a program while holding a lock",
  operands: "[options] PREFIX COMMAND [ARGS...]",
  help: `Waits for the lock at PREFIX, runs the command, and gives the lock back when
it ends. If the lock is lost before that, the command gets SIGTERM and,
five seconds later, SIGKILL. The command sees CONSUL_LOCK_HELD=true.

    $ proconsul lock jobs/nightly ./nightly.sh

With -n greater than 1, up to that many may run at a time; all must give
the same number.`,
  flags: [
    {
      name: "child-exit-code",
      type: "bool",
      usage: "Exit with 2 if the command fails. Otherwise its failure does not count.",
    },
    {
      name: "monitor-retry",
      type: "int",
      placeholder: "int",
      usage:
        "How many failed requests, a second apart, do not mean that the lock is lost. 0 for none. The default is 3.",
    },
    { name: "n", type: "int", placeholder: "int", usage: "How many may hold it. The default is 1." },
    { name: "name", type: "string", usage: "Name of the session." },
    { name: "pass-stdin", type: "bool", usage: "Hand standard input on to the command." },
    { name: "shell", type: "bool", usage: "Run the command by the shell. The default is true." },
    { name: "timeout", type: "duration", placeholder: "duration", usage: "The same as -try." },
    {
      name: "try",
      type: "duration",
      placeholder: "duration",
      usage: "Give up after this. Without it, wait for the lock however long it takes.",
    },
    { name: "verbose", type: "bool", usage: "Say what happens." },
  ],
  http: true,
  passthrough: true,
  async run(call) {
    const { flags, args, io } = call;
    if (args.length < 2) throw new UsageError("Key prefix and child command must be specified");
    const limit = flags.number("n", 1);
    const tryNs = flags.number("try", flags.number("timeout"));
    const retries = flags.number("monitor-retry", 3);
    if (limit <= 0) throw new UsageError("Lock holder limit must be positive");
    if (tryNs < 0) throw new UsageError("Timeout must be positive");
    if (retries < 0) throw new UsageError("Number for 'monitor-retry' must be >= 0");
    const [prefix, ...words] = args as [string, ...string[]];
    const client = await call.client();
    return call.interruptible(async (signal) => {
      const held = await acquire(client, prefix.replace(/^\/+/, ""), limit, {
        sessionName: flags.string("name") || `Consul lock for '${words.join(" ")}' at '${prefix}'`,
        ...(tryNs > 0 ? { tryForMs: tryNs / nsPerMs } : {}),
        monitorRetries: retries,
        monitorRetryMs: 1_000,
        signal,
        sleep: (ms, aborted) => io.sleep(ms, aborted),
        now: () => io.now(),
        say: (text) => say(call, text),
      });
      if (held === null) {
        const why = tryNs > 0 ? "Shutdown triggered or timeout" : "Shutdown triggered";
        throw new CliError(`${why} during lock acquisition`);
      }
      let code: number | null = null;
      try {
        code = await runChild(call, words, held, signal);
      } finally {
        await giveBack(call, held);
      }
      return code !== 0 && flags.bool("child-exit-code") ? CHILD_FAILED : 0;
    });
  },
};

async function acquire(
  client: Client,
  prefix: string,
  limit: number,
  options: LockOptions & { say(text: string): void },
): Promise<Lock | null> {
  const key = `${prefix.replace(/\/+$/, "")}/.lock`;
  options.say(
    `Setting up ${limit === 1 ? "lock" : `semaphore (limit ${limit})`} at path: ${limit === 1 ? key : prefix}`,
  );
  options.say("Attempting lock acquisition");
  try {
    return await (limit === 1 ? acquireLock(client, key, options) : acquireSemaphore(client, prefix, limit, options));
  } catch (error) {
    throw new CliError(`Lock acquisition failed: ${errorText(error)}`, { cause: error });
  }
}

/** Its exit code; null when it was killed. */
async function runChild(
  call: Invocation,
  words: readonly string[],
  held: Lock,
  stop: AbortSignal,
): Promise<number | null> {
  const { flags, io } = call;
  say(call, `Starting handler '${words.join(" ")}'`);
  const child = io.spawn(commandLine(io, words, flags.bool("shell", true)), {
    env: childEnv(io, { CONSUL_LOCK_HELD: "true" }),
    stdin: flags.bool("pass-stdin") ? "inherit" : "none",
  });
  const ended = new AbortController();
  const exit = child.exit.finally(() => ended.abort());
  const over = AbortSignal.any([held.lost, stop]);
  const killed = killWhen(call, child, over, ended.signal, () => (stop.aborted ? "Shutdown triggered" : "Lock lost"));
  try {
    const { code, signal } = await exit;
    if (code !== 0)
      call.warn(`Error running handler: ${signal === null ? `exit status ${code}` : `signal: ${signal}`}`);
    return code;
  } catch (error) {
    throw new CliError(`Error executing handler: ${(error as Error).message}`, { cause: error });
  } finally {
    await killed;
  }
}

/** Waits for `over` or `ended`; after `over`, ends the child. */
async function killWhen(
  call: Invocation,
  child: ChildHandle,
  over: AbortSignal,
  ended: AbortSignal,
  why: () => string,
): Promise<void> {
  await aborted(AbortSignal.any([over, ended]));
  if (ended.aborted) return;
  call.warn(`${why()}, killing child`);
  child.kill("SIGTERM");
  await call.io.sleep(KILL_AFTER_MS, ended);
  if (ended.aborted) return;
  call.warn("Child did not end in 5 seconds, sending SIGKILL");
  child.kill("SIGKILL");
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function giveBack(call: Invocation, held: Lock): Promise<void> {
  try {
    await held.release();
  } catch (error) {
    throw new CliError(`Lock release failed: ${errorText(error)}`, { cause: error });
  }
  try {
    const gone = await held.cleanUp();
    say(call, gone ? "Cleanup succeeded" : "Cleanup aborted, lock in use");
  } catch (error) {
    throw new CliError(`Lock cleanup failed: ${errorText(error)}`, { cause: error });
  }
}

function say(call: Invocation, text: string): void {
  if (call.flags.bool("verbose")) call.print(text);
}
