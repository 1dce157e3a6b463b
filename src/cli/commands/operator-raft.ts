// `operator raft`: the servers of the Raft configuration.
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";
import { errorText } from "../error-text.ts";
import { columns } from "../table.ts";
import { operatorRaftRecover } from "./operator-raft-recover.ts";

const listPeers: Command = {
  name: "operator raft list-peers",
  synopsis: "Lists the servers of the Raft configuration",
  http: true,
  async run(call) {
    call.none();
    const { operator } = await call.client();
    try {
      const { Servers } = (await operator.raftConfiguration(call.reads)).value;
      const leaderIndex = Servers.find(({ Leader }) => Leader)?.LastIndex;
      const rows = Servers.map((server) => [
        server.Node,
        server.ID,
        server.Address,
        server.Leader ? "leader" : "follower",
        String(server.Voter),
        server.ProtocolVersion || "<=1",
        String(server.LastIndex),
        server.Leader || leaderIndex === undefined ? "-" : trail(leaderIndex - server.LastIndex),
      ]);
      const header = ["Node", "ID", "Address", "State", "Voter", "RaftProtocol", "Commit Index", "Trails Leader By"];
      call.print(columns([header, ...rows]));
    } catch (error) {
      throw new CliError(`Error getting peers: ${errorText(error)}`, { cause: error });
    }
    return 0;
  },
};

function trail(commits: number): string {
  return `${commits} ${commits === 1 ? "commit" : "commits"}`;
}

const removePeer: Command = {
  name: "operator raft remove-peer",
  synopsis: "Removes a server from the Raft configuration",
  help: `Removes a server that is gone and did not leave, by its id or its address.
Prefer "force-leave" when the server still is a member.`,
  flags: [
    { name: "address", type: "string", placeholder: "address", usage: "Address and port, as list-peers shows it." },
    { name: "id", type: "string", placeholder: "id", usage: "Id, as list-peers shows it." },
  ],
  http: true,
  async run(call) {
    call.none();
    const id = call.flags.string("id");
    const address = call.flags.string("address");
    if (id === "" && address === "")
      throw new CliError("Error removing peer: an address or id is required for the peer to remove");
    if (id !== "" && address !== "") throw new CliError("Error removing peer: cannot give both an address and id");
    const { operator } = await call.client();
    try {
      await operator.raftRemovePeer(id === "" ? { address } : { id });
    } catch (error) {
      throw new CliError(`Error removing peer: ${errorText(error)}`, { cause: error });
    }
    call.print(id === "" ? `Removed peer with address "${address}"` : `Removed peer with id "${id}"`);
    return 0;
  },
};

const transferLeader: Command = {
  name: "operator raft transfer-leader",
  synopsis: "Makes another server the leader",
  flags: [
    { name: "id", type: "string", placeholder: "id", usage: "The server to lead. Without it, the leader picks one." },
  ],
  http: true,
  async run(call) {
    call.none();
    const { operator } = await call.client();
    let done: boolean;
    try {
      done = await operator.raftTransferLeader(call.flags.string("id") || undefined);
    } catch (error) {
      throw new CliError(`Error transfering leadership: ${errorText(error)}`, { cause: error });
    }
    if (!done) throw new CliError("Error transfering leadership: the leader did not hand over");
    call.print("Success");
    return 0;
  },
};

export const operatorRaft: readonly Command[] = [listPeers, removePeer, transferLeader, operatorRaftRecover];
