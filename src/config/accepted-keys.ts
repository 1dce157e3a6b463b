// Keys that this build reads and checks but does nothing with: whoever sets one is told.
import { configKeys } from "./schema.ts";
import type { Settings, SettingValue } from "./settings.ts";

/** The keys without effect among those that the user set to something, in the order of their names. */
function acceptedKeys(settings: Settings, userKeys: ReadonlySet<string>): string[] {
  const found: string[] = [];
  for (const path of userKeys) {
    const spec = configKeys.get(path);
    const value = settings.get(path);
    if (spec?.support !== "accepted" || value === undefined) continue;
    // Turning off what is not there, or saying what holds anyway, asks for nothing.
    const off = value === false || value === "" || (path.startsWith("ports.") && Number(value) <= 0) || isEmpty(value);
    if (!off && value !== spec.default) found.push(path);
  }
  return found.sort();
}

function isEmpty(value: SettingValue): boolean {
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** One sentence that names them all; null when there are none. */
export function acceptedKeysWarning(settings: Settings, userKeys: ReadonlySet<string>): string | null {
  const keys = acceptedKeys(settings, userKeys);
  return keys.length === 0 ? null : `these configuration keys have no effect in this build: ${keys.join(", ")}`;
}
