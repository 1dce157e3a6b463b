// What becomes of keys with an old name: the value moves to the new one, if the same source does not set that too, and a
// warning says so. The warnings have Consul's texts.
import { configKeys } from "./schema.ts";
import type { Settings } from "./settings.ts";

/** Old names of TLS versions. */
const tlsVersions: ReadonlyMap<string, string> = new Map([
  ["", "TLS_AUTO"],
  ["tls10", "TLSv1_0"],
  ["tls11", "TLSv1_1"],
  ["tls12", "TLSv1_2"],
  ["tls13", "TLSv1_3"],
]);

/** Moves the old keys of one source, in place; returns the warnings. */
export function moveDeprecatedKeys(settings: Settings): string[] {
  const warnings: string[] = [];
  for (const { path, replacedBy } of configKeys.values()) {
    const value = settings.get(path);
    if (value === undefined || replacedBy === undefined) continue;
    settings.delete(path);
    const present = settings.get(replacedBy);
    if (path === "start_join" || path === "start_join_wan") {
      settings.set(replacedBy, [...((present ?? []) as readonly string[]), ...(value as readonly string[])]);
    } else if (present === undefined) {
      settings.set(replacedBy, value);
      if (path === "tls_min_version") translateTlsVersion(settings, String(value), warnings);
    }
    sideEffects(path, settings);
    warnings.push(`The '${path}' field is deprecated. Use the '${replacedBy}' field instead.`);
  }
  if (settings.delete("tls_prefer_server_cipher_suites")) {
    warnings.push("The 'tls_prefer_server_cipher_suites' field is deprecated and will be ignored.");
  }
  if (settings.delete("acl_enforce_version_8")) {
    warnings.push('config key "acl_enforce_version_8" is deprecated and should be removed');
  }
  return warnings;
}

function translateTlsVersion(settings: Settings, old: string, warnings: string[]): void {
  const version = tlsVersions.get(old);
  if (version === undefined) return;
  warnings.push(`'tls_min_version' value '${old}' is deprecated, please specify '${version}' instead`);
  settings.set("tls.defaults.tls_min_version", version);
}

/** What an old key does besides: ACLs were once switched on by naming their datacenter. */
function sideEffects(path: string, settings: Settings): void {
  if (path === "acl_datacenter") settings.set("acl.enabled", true);
  if (path === "acl_replication_token") settings.set("acl.enable_token_replication", true);
  // The old key never asked gRPC clients for certificates.
  if (path === "verify_incoming" && !settings.has("tls.grpc.verify_incoming")) {
    settings.set("tls.grpc.verify_incoming", false);
  }
}
