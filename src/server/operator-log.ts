// What only an operator can mend, as the log tells it: what happened, what the server does meanwhile, and what is to be done.
import type { OperationalError } from "../types/error.ts";
import type { ConsensusHost } from "./consensus.ts";
import type { Group } from "./group.ts";
import type { ServerOptions } from "./server-options.ts";

/** @param addressOf where a server takes calls; null when nobody knows. */
export function operatorLog(
  log: ServerOptions["log"],
  group: Pick<Group, "nameOf">,
  addressOf: (id: string) => string | null,
): Pick<ConsensusHost, "spaceChanged" | "peerLostData"> & { snapshotDamaged(name: string, error: unknown): void } {
  return {
    spaceChanged(error: OperationalError | null): void {
      if (error === null) log("info", "the log has space again");
      else
        log("error", "the disk is full: this server takes no writes and does not lead until it has space", { error });
    },
    peerLostData: (id) =>
      log(
        "error",
        `a server has lost its data, and is sent nothing: take it out of the group, "proconsul operator raft remove-peer -id=${id}", ` +
          "or delete the file node-id in its data directory and start it again",
        { id, name: group.nameOf(id), address: addressOf(id) ?? "" },
      ),
    snapshotDamaged: (name, error) => log("error", "snapshot is damaged and is passed over", { name, error }),
  };
}
