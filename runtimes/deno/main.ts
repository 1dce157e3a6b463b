// The `proconsul` command on Deno.
import { run } from "../node/program.ts";
import { listenDns } from "./dns.ts";
import { listenHttp } from "./http.ts";
import { httpPeers, listenPeers } from "./peers.ts";

/** @param args the words after the program's name. Ends the process when the command has ended. */
export const main = (args: readonly string[]): Promise<void> =>
  run(args, { name: "deno", listenHttp, listenPeers, httpPeers, listenDns });
