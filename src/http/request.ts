// An HTTP request as the API sees it: the target exactly as it was sent, headers by name, a body with a hard limit. Node's
// shim builds it from its own request without paying for a `Request`; `web-request.ts` builds it from a `Request`.

export interface HttpRequest {
  readonly method: string;
  /** Path and query as sent, not normalised: routing and permissions act on one path on every runtime. */
  readonly target: string;
  /** The client's address without port; "" when the runtime cannot tell. */
  readonly remoteAddress: string;
  /** The value of a header, by lower-case name; null when absent. */
  header(name: string): string | null;
  /**
   * Reads the whole body.
   * @throws OperationalError `payload-too-large` as soon as more than `limitBytes` came, whatever Content-Length said.
   */
  body(limitBytes: number): Promise<Uint8Array>;
  /** Calls `gone` once if the client goes away before it has its answer. Returns how to forget it. */
  onGone(gone: () => void): () => void;
}
