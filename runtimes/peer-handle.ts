// What the listeners of all runtimes do with a call of another agent.

/** Answers a call: `RunningAgent.peer`. `from` is the IP address that the connection comes from. */
export type PeerHandle = (path: string, body: Uint8Array, from: string) => Promise<Uint8Array>;

/** What a call may carry: a whole state to restore is the largest thing there is. */
export const PEER_BODY_BYTES_MAX: number = 1100 * 1024 * 1024;

const PREFIXES = ["/raft/", "/rpc/"];

/** What the server port answers; gossip has ports of its own. */
export const isPeerPath = (path: string): boolean => PREFIXES.some((prefix) => path.startsWith(prefix));
