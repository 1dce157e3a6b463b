// Names of log levels, as Consul reads them: in any case, `err` and `warning` too.

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

/** The level of that name; null when there is none. */
export function parseLogLevel(name: string): LogLevel | null {
  switch (name.toLowerCase()) {
    case "trace":
      return "trace";
    case "debug":
      return "debug";
    case "info":
      return "info";
    case "warn":
      return "warn";
    case "err":
    case "error":
      return "error";
    default:
      return null;
  }
}
