// While a simulation runs nothing may look at a real clock, wait for a real timer, reach a real network or draw real
// randomness: the globals that do so throw.

type Owner = Record<PropertyKey, unknown>;

interface Guarded {
  owner: Owner;
  name: string;
  before: PropertyDescriptor | undefined;
}

function refuse(what: string): () => never {
  return () => {
    throw new Error(`${what} was called inside a simulation: it must not depend on anything real`);
  };
}

function placesToGuard(): { owner: Owner; name: string; what: string }[] {
  const global = globalThis as unknown as Owner;
  const names = ["setTimeout", "setInterval", "setImmediate", "fetch", "MessageChannel", "FinalizationRegistry"];
  const inside: [string, string[]][] = [
    ["Date", ["now"]],
    ["Math", ["random"]],
    ["performance", ["now"]],
    ["crypto", ["getRandomValues", "randomUUID"]],
    ["AbortSignal", ["timeout"]],
  ];
  return [
    ...names.map((name) => ({ owner: global, name, what: name })),
    ...inside.flatMap(([owner, members]) =>
      members.map((name) => ({ owner: global[owner] as Owner, name, what: `${owner}.${name}` })),
    ),
  ];
}

const RealDate = Date;

/** `new Date(ms)` and its like stay; `new Date()` reads the clock. */
class GuardedDate extends RealDate {
  constructor(...of: unknown[]) {
    if (of.length === 0) refuse("new Date()")();
    super(...(of as [number]));
  }
}

/** Guards the globals until the returned function is called. */
export function guardGlobals(): () => void {
  const guarded: Guarded[] = [];
  const put = (owner: Owner, name: string, value: unknown): void => {
    guarded.push({ owner, name, before: Object.getOwnPropertyDescriptor(owner, name) });
    Object.defineProperty(owner, name, { value, configurable: true, writable: true });
  };
  for (const { owner, name, what } of placesToGuard())
    if (typeof owner?.[name] === "function") put(owner, name, refuse(what));
  put(globalThis as unknown as Owner, "Date", GuardedDate);
  (GuardedDate as { now: unknown }).now = refuse("Date.now");
  return () => {
    for (const { owner, name, before } of guarded.reverse()) {
      if (before === undefined) Reflect.deleteProperty(owner, name);
      else Object.defineProperty(owner, name, before);
    }
  };
}
