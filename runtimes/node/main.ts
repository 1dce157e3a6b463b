// The `proconsul` command on Node.
import { run } from "./program.ts";
import { listenDns } from "./dns.ts";
import { listenHttp } from "./http.ts";
import { httpPeers, listenPeers } from "./peers.ts";

/** @param args the words after the program's name. Ends the process when the command has ended. */
export const main = (args: readonly string[]): Promise<void> =>
  run(args, { name: "node", listenHttp, listenPeers, httpPeers, listenDns });
