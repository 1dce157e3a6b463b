// The `tls` block: what each listener has, of its own or from `tls.defaults`.
// https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/tls
import type { TlsListener } from "./config-types.ts";
import type { SettingReader } from "./setting-reader.ts";

const versions = ["TLS_AUTO", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"];
const cipherSuites = new Set([
  "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
]);

/** The three listeners; what is wrong goes to the reader's errors. */
export function tlsConfig(reader: SettingReader): Record<"internalRpc" | "https" | "grpc", TlsListener> {
  if (reader.has("tls.grpc.verify_outgoing")) reader.errors.push("verify_outgoing is not valid in the tls.grpc stanza");
  if (reader.has("tls.grpc.verify_server_hostname") || reader.has("tls.https.verify_server_hostname")) {
    reader.errors.push("verify_server_hostname is only valid in the tls.defaults and tls.internal_rpc stanzas");
  }
  if (["defaults", "https", "internal_rpc"].some((name) => reader.has(`tls.${name}.use_auto_cert`))) {
    reader.errors.push("use_auto_cert is only valid in the tls.grpc stanza");
  }
  checkVersion(reader, "defaults");
  checkSuites(reader, "defaults", version(reader, "defaults"));
  const internalRpc = listener(reader, "internal_rpc");
  // Checking the name of a server without TLS would check nothing (CVE-2018-19653).
  internalRpc.verifyOutgoing ||= internalRpc.verifyServerHostname;
  const grpc = listener(reader, "grpc");
  grpc.verifyOutgoing = false;
  return { internalRpc, https: listener(reader, "https"), grpc };
}

function listener(reader: SettingReader, name: "internal_rpc" | "https" | "grpc"): TlsListener {
  const from = (key: string): string => `tls.${reader.has(`tls.${name}.${key}`) ? name : "defaults"}.${key}`;
  const text = (key: string): string => reader.string(from(key));
  const bool = (key: string): boolean => reader.bool(from(key));
  checkVersion(reader, name);
  const minVersion = reader.has(`tls.${name}.tls_min_version`) ? version(reader, name) : version(reader, "defaults");
  if (reader.has(`tls.${name}.tls_cipher_suites`)) checkSuites(reader, name, minVersion);
  return {
    caFile: text("ca_file"),
    caPath: text("ca_path"),
    certFile: text("cert_file"),
    keyFile: text("key_file"),
    minVersion,
    // Suites that are inherited and do not fit the version are dropped without a word.
    cipherSuites: minVersion === "TLSv1_3" ? [] : suites(text("tls_cipher_suites")),
    verifyIncoming: bool("verify_incoming"),
    verifyOutgoing: bool("verify_outgoing"),
    verifyServerHostname: name === "internal_rpc" && bool("verify_server_hostname"),
    useAutoCert: name === "grpc" && reader.bool("tls.grpc.use_auto_cert"),
  };
}

function version(reader: SettingReader, name: string): string {
  return reader.string(`tls.${name}.tls_min_version`) || "TLS_AUTO";
}

function checkVersion(reader: SettingReader, name: string): void {
  const given = version(reader, name);
  if (versions.includes(given)) return;
  reader.errors.push(
    `tls.${name}.tls_min_version: invalid TLS version: no matching TLS version found for ${given}, ` +
      `please specify one of [${versions.join(", ")}]`,
  );
}

function suites(text: string): string[] {
  return text.trim() === "" ? [] : text.trim().split(",");
}

function checkSuites(reader: SettingReader, name: string, minVersion: string): void {
  const key = `tls.${name}.tls_cipher_suites`;
  const given = suites(reader.string(key));
  const unknown = given.filter((suite) => !cipherSuites.has(suite));
  if (reader.has(key) && minVersion === "TLSv1_3") {
    reader.errors.push(`${key}: TLS 1.3 cipher suites are not configurable`);
  } else if (unknown.length > 0) {
    reader.errors.push(
      `${key}: invalid TLS cipher suites: no matching Consul Agent TLS cipher suite found for ${unknown.join(",")}`,
    );
  }
}
