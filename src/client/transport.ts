// Requests and answers of Consul's HTTP API: parameters that every request takes, headers that every answer carries
// (https://developer.hashicorp.com/consul/api-docs/features/blocking), errors. The areas beside this file are built on it.
import type { Uint64 } from "../types/records.ts";
import { parseJson, stringifyJson } from "./json.ts";

/** The part of `fetch` the client uses. */
export type ClientFetch = (url: string, init: RequestInit) => Promise<Response>;

/** Where requests go, and what goes with each. */
export interface TransportOptions {
  /** "http://127.0.0.1:8500" when not given. Without a scheme, http. */
  address?: string;
  /** Sent as X-Consul-Token. */
  token?: string;
  /** For every request that names none; the agent's own when not given. */
  datacenter?: string;
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** The global one when not given; or what has a `fetch`, such as a Worker's service binding. */
  fetch?: ClientFetch | { fetch: ClientFetch };
}

/** What any request takes. */
export interface RequestOptions {
  datacenter?: string;
  token?: string;
  signal?: AbortSignal;
}

/** What a read takes. Not every endpoint heeds all of it: the API's pages say which does. */
export interface ReadOptions extends RequestOptions {
  /** "default" asks the leader, "consistent" makes it prove that it leads, "stale" asks any server. */
  consistency?: "default" | "consistent" | "stale";
  /** With "stale": how old an answer may be, such as "10s". */
  maxStale?: string;
  /** Lets the agent answer from its cache. */
  cached?: boolean;
  /** Waits until the index is greater than this: the `index` of the answer before. */
  index?: Uint64;
  /** How long to wait for that, such as "30s"; Consul's own default is "5m". */
  wait?: string;
  /** An expression that the answer's entries must fulfil. */
  filter?: string;
  /** Nearest first, as seen from this node; "_agent" for the agent's own. */
  near?: string;
  /** Only nodes with all these metadata. */
  nodeMeta?: Record<string, string>;
}

/** What the headers of an answer say. */
export interface ReadMeta {
  /** For the next blocking query; 0 when the endpoint has none. It can go backwards after a restore: then start from 0. */
  index: Uint64;
  knownLeader: boolean;
  /** Milliseconds since the answering server heard from its leader. */
  lastContactMs: number;
  /** For hash-based blocking: `hash` of the next request. */
  contentHash: string | null;
  /** Whether the agent's cache answered; null when it was not asked. */
  cacheHit: boolean | null;
  cacheAgeSeconds: number;
  /** True when the token may not see all there is. */
  filteredByAcls: boolean;
}

/** An answer: its value and what its headers say. */
export interface Read<T> extends ReadMeta {
  value: T;
}

/** The agent did not do what was asked, or could not be reached. */
export class ClientError extends Error {
  override readonly name: string = "ClientError";
  /** 0: there was no answer, and `cause` says why. */
  readonly status: number;
  /** Consul's own text. */
  readonly body: string;
  constructor(status: number, body: string, message?: string, cause?: unknown) {
    super(message ?? `Unexpected response code: ${status} (${body})`, cause === undefined ? undefined : { cause });
    this.status = status;
    this.body = body;
  }
}

export type Query = Record<string, string | Uint64 | boolean | readonly string[] | undefined>;
export type Method = "GET" | "PUT" | "POST" | "DELETE";
export type Body = string | Uint8Array | ReadableStream<Uint8Array>;

/** A request; `path` is what follows "/v1/", already encoded. */
export interface ClientRequest {
  method: Method;
  path: string;
  query?: Query;
  options?: ReadOptions;
  body?: Body;
  /** Statuses besides 2xx that are an outcome and no error. */
  outcomes?: readonly number[];
}

/** The client's only way out: each method is one request. */
export class Transport {
  readonly #base: string;
  readonly #defaults: TransportOptions;
  readonly #fetch: ClientFetch;

  constructor(options: TransportOptions = {}) {
    const address = options.address ?? "http://127.0.0.1:8500";
    this.#base = `${address.includes("://") ? "" : "http://"}${address.replace(/\/+$/, "")}/v1/`;
    this.#defaults = options;
    // The global is looked up at each call, and called without a receiver, which browsers insist on.
    const given = options.fetch ?? { fetch: (url, init) => fetch(url, init) };
    this.#fetch = typeof given === "function" ? given : (url, init) => given.fetch(url, init);
  }

  /** Address, datacenter and token that a request with these options goes with. */
  identity(options: RequestOptions): { place: string; token: string } {
    const { datacenter = this.#defaults.datacenter ?? "", token = this.#defaults.token ?? "" } = options;
    return { place: `${this.#base} ${datacenter}`, token };
  }

  /** @throws ClientError when the agent cannot be reached or answers with an error; the signal's reason when aborted. */
  async send(request: ClientRequest): Promise<Response> {
    const { method, path, options = {}, body } = request;
    const url = `${this.#base}${path}${this.#queryString(request.query, options)}`;
    const headers = new Headers(this.#defaults.headers);
    const token = options.token ?? this.#defaults.token;
    if (token !== undefined && token !== "") headers.set("X-Consul-Token", token);
    const init: RequestInit & { duplex?: "half" } = { method, headers };
    if (body !== undefined) init.body = body as BodyInit;
    if (body instanceof ReadableStream) init.duplex = "half";
    if (options.signal !== undefined) init.signal = options.signal;
    let response: Response;
    try {
      response = await this.#fetch(url, init);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new ClientError(0, "", `${method[0]}${method.slice(1).toLowerCase()} "${url}": ${reason(error)}`, error);
    }
    if (response.ok || request.outcomes?.includes(response.status)) return response;
    throw new ClientError(response.status, (await response.text()).trim());
  }

  /** GET: the JSON of the answer, or `missing` for a 404 when that is given. */
  async read<T>(path: string, options?: ReadOptions, query?: Query, missing?: { value: T }): Promise<Read<T>> {
    const outcomes = missing === undefined ? [] : [404];
    const response = await this.send({ method: "GET", path, query, options, outcomes });
    const text = await response.text();
    const meta = readMeta(response.headers);
    return {
      value: missing !== undefined && response.status === 404 ? missing.value : (parseJson(text) as T),
      ...meta,
    };
  }

  /** A request that changes something: the JSON of the answer, undefined when there is none. `body` is sent as JSON. */
  async write<T = void>(
    method: Method,
    path: string,
    options?: RequestOptions,
    query?: Query,
    body?: unknown,
  ): Promise<T> {
    const response = await this.send({
      method,
      path,
      query,
      options,
      body: body === undefined ? undefined : stringifyJson(body),
    });
    const text = await response.text();
    return (text === "" ? undefined : parseJson(text)) as T;
  }

  #queryString(query: Query = {}, options: ReadOptions): string {
    const parameters = new URLSearchParams();
    const add = (name: string, value: Query[string]): void => {
      if (value === undefined || value === false) return;
      for (const item of Array.isArray(value) ? value : [value])
        parameters.append(name, item === true ? "" : String(item));
    };
    for (const name in query) add(name, query[name]);
    add("dc", options.datacenter ?? this.#defaults.datacenter);
    if (options.consistency !== undefined && options.consistency !== "default") add(options.consistency, true);
    add("max_stale", options.maxStale);
    add("cached", options.cached);
    add("index", options.index);
    add("wait", options.wait);
    add("filter", options.filter);
    add("near", options.near);
    for (const [name, value] of Object.entries(options.nodeMeta ?? {})) add("node-meta", `${name}:${value}`);
    const text = parameters.toString();
    return text === "" ? "" : `?${text}`;
  }
}

/** One segment of a path: a name, an id. */
export function segment(name: string): string {
  if (name === "." || name === "..") throw new ClientError(0, "", `"${name}" cannot be part of a path`);
  return encodeURIComponent(name);
}

/** A path whose slashes stay: a key. Empty for the empty key. */
export function segments(key: string): string {
  return key.split("/").map(segment).join("/");
}

/** A uint64 written in decimal. */
function uint64(text: string | null): Uint64 {
  if (text === null || !/^\d+$/.test(text)) return 0;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

/** What the headers of an answer say. */
export function readMeta(headers: Headers): ReadMeta {
  const cache = headers.get("X-Cache");
  return {
    index: uint64(headers.get("X-Consul-Index")),
    knownLeader: headers.get("X-Consul-KnownLeader") === "true",
    lastContactMs: Number(headers.get("X-Consul-LastContact") ?? 0),
    contentHash: headers.get("X-Consul-ContentHash"),
    cacheHit: cache === null ? null : cache === "HIT",
    cacheAgeSeconds: Number(headers.get("Age") ?? 0),
    filteredByAcls: headers.get("X-Consul-Results-Filtered-By-ACLs") === "true",
  };
}

/** Runtimes put what happened into the error, its cause, or, for a name with several addresses, the first of its errors. */
function reason(error: unknown): string {
  const { cause } = error as { cause?: { message?: string; errors?: { message?: string }[] } };
  return cause?.message || cause?.errors?.[0]?.message || (error instanceof Error ? error.message : String(error));
}
