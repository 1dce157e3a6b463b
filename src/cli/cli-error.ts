// What a command throws to end with a message rather than a stack.

/** A failure whose text is all there is to say; exit code 1. */
export class CliError extends Error {
  override readonly name: string = "CliError";
}

/** Words that do not fit the command; its help is shown with the text. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}
