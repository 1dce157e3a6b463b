// The client's second level, and the place of snapshots, on any driver of unstorage (https://unstorage.unjs.io), which comes
// from whoever uses it: nothing here imports it before it is needed. What unstorage does to keys and values is undone here:
// it rewrites keys that have slashes, colons or question marks, so names are escaped; it turns text into what it looks like,
// so only bytes are stored; its drivers give bytes back in several shapes. It promises no order, no atomicity and no sync.
import type { ClientStorage } from "../../src/client/index.ts";

/** What is used of an unstorage `Storage`. */
export interface UnstorageLike {
  // oxlint-disable-next-line typescript/no-explicit-any -- as unstorage declares it
  getItemRaw(key: string): Promise<any>;
  // oxlint-disable-next-line typescript/no-explicit-any -- as unstorage declares it
  setItemRaw(key: string, value: any): Promise<void>;
  hasItem(key: string): Promise<boolean>;
}

/** A second level, or a place for snapshots, in an unstorage `Storage`. */
export function fromUnstorage(storage: UnstorageLike): ClientStorage {
  return {
    async get(name) {
      const key = escapeName(name);
      let value: unknown;
      try {
        value = await storage.getItemRaw(key);
      } catch (error) {
        // The HTTP driver fails on what is not there.
        if (await storage.hasItem(key)) throw error;
        return null;
      }
      return value === null || value === undefined ? null : toBytes(value);
    },
    async set(name, value) {
      // A copy: drivers that keep the object itself would see later changes to it.
      await storage.setItemRaw(escapeName(name), Uint8Array.from(value));
    },
  };
}

/** Letters, digits, dots and hyphens stay; anything else becomes its bytes in hexadecimal. */
function escapeName(name: string): string {
  if (name === "" || /^\.+$/.test(name)) throw new Error(`"${name}" is no name`);
  return name.replaceAll(/[^A-Za-z\d.-]/gu, (character) => {
    const bytes = new TextEncoder().encode(character);
    return [...bytes].map((byte) => `_${byte.toString(16).padStart(2, "0")}`).join("");
  });
}

async function toBytes(value: unknown): Promise<Uint8Array> {
  if (value instanceof Uint8Array) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (value instanceof Blob || value instanceof ReadableStream)
    return new Uint8Array(await new Response(value).arrayBuffer());
  throw new Error(`the storage gave ${Object.prototype.toString.call(value)} instead of bytes`);
}

type Env = Readonly<Record<string, string | undefined>>;

interface Driver {
  /** Of `unstorage/drivers/`. */
  name: string;
  /** What it needs besides unstorage. */
  peer?: string;
  options(url: URL, env: Env): Record<string, unknown>;
}

const drivers: Readonly<Record<string, Driver>> = {
  "file:": { name: "fs-lite", options: ({ pathname }) => ({ base: decodeURIComponent(pathname) }) },
  "memory:": { name: "memory", options: () => ({}) },
  "http:": { name: "http", options: ({ href }) => ({ base: href }) },
  "https:": { name: "http", options: ({ href }) => ({ base: href }) },
  "redis:": { name: "redis", peer: "ioredis", options: redis },
  "rediss:": { name: "redis", peer: "ioredis", options: redis },
  "s3:": {
    name: "s3",
    peer: "aws4fetch",
    options(url, env) {
      const region = url.searchParams.get("region") ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? "us-east-1";
      const endpoint = url.searchParams.get("endpoint") ?? env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL;
      return objects(url, endpoint ?? `https://s3.${region}.amazonaws.com`, region, {
        accessKeyId: need(env, "AWS_ACCESS_KEY_ID"),
        secretAccessKey: need(env, "AWS_SECRET_ACCESS_KEY"),
      });
    },
  },
  "r2:": {
    name: "s3",
    peer: "aws4fetch",
    options(url, env) {
      const endpoint = url.searchParams.get("endpoint");
      return objects(
        url,
        endpoint ?? `https://${need(env, "CLOUDFLARE_ACCOUNT_ID")}.r2.cloudflarestorage.com`,
        "auto",
        { accessKeyId: need(env, "R2_ACCESS_KEY_ID"), secretAccessKey: need(env, "R2_SECRET_ACCESS_KEY") },
      );
    },
  },
};

/** S3 has no folders: the path goes before each key. */
function objects(url: URL, endpoint: string, region: string, keys: Record<string, string>): Record<string, unknown> {
  return { endpoint, region, bucket: url.hostname + url.pathname.replace(/\/+$/, ""), ...keys };
}

function redis(url: URL): Record<string, unknown> {
  const [, database = "", ...path] = url.pathname.split("/");
  const { protocol, username, password, host } = url;
  const user = password === "" ? "" : `${username}:${password}@`;
  return { url: `${protocol}//${user}${host}/${database}`, base: path.filter(Boolean).join(":") || "proconsul" };
}

function need(env: Env, name: string): string {
  const value = env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set`);
  return value;
}

/** The schemes that `openStorage` knows, without colons. */
export const storageSchemes: readonly string[] = Object.keys(drivers).map((scheme) => scheme.slice(0, -1));

/**
 * Opens the place that a URL names: `file:///var/lib/app`, `s3://bucket/path?region=…`, `r2://bucket/path`,
 * `redis://host:6379/0/path`, `https://host/path`. Keys and secrets come from the environment, by their usual names.
 * @throws Error that says what to install or to set
 */
export async function openStorage(place: string, env: Env = {}): Promise<ClientStorage> {
  const url = new URL(place);
  const driver = drivers[url.protocol];
  if (driver === undefined) throw new Error(`no storage for "${url.protocol}": one of ${storageSchemes.join(", ")}`);
  const options = driver.options(url, env);
  const { createStorage } = (await load("unstorage", driver)) as {
    createStorage(options: object): UnstorageLike;
  };
  const { default: open } = (await load(`unstorage/drivers/${driver.name}`, driver)) as {
    default(options: object): object;
  };
  return fromUnstorage(createStorage({ driver: open(options) }));
}

async function load(module: string, { peer }: Driver): Promise<unknown> {
  try {
    return await import(module);
  } catch (error) {
    const packages = ["unstorage", ...(peer === undefined ? [] : [peer])].join(" ");
    throw new Error(`this storage needs packages that are not there: npm install ${packages}`, { cause: error });
  }
}
