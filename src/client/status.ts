// Who leads: https://developer.hashicorp.com/consul/api-docs/status
import type { ReadOptions, Transport } from "./transport.ts";

export interface StatusArea {
  /** "address:port" of the Raft leader, "" when there is none. */
  leader(options?: ReadOptions): Promise<string>;
  /** "address:port" of every server in the Raft configuration. */
  peers(options?: ReadOptions): Promise<string[]>;
}

export function statusArea(transport: Transport): StatusArea {
  return {
    leader: async (options) => (await transport.read<string>("status/leader", options)).value,
    peers: async (options) => (await transport.read<string[]>("status/peers", options)).value,
  };
}
