// A datacenter in processes of its own that the recorded scenarios are replayed on: three servers, and a client agent that
// plays the part of the one recorded agent. What a scenario asks goes to the client.
import { GroupProcesses } from "../e2e/group.ts";
import { type AgentProcess, type AgentProcessOptions, type RuntimeName, startAgentProcess } from "./agent-process.ts";

/** Starts the four of them. @throws Error with their logs when they do not find each other. */
export async function startDatacenterProcess(
  command: readonly string[],
  runtime: RuntimeName,
  options: AgentProcessOptions,
): Promise<AgentProcess> {
  const { dc = "dc1", config = {} } = options;
  const group = await GroupProcesses.start([runtime, runtime, runtime], { words: [`-datacenter=${dc}`] });
  try {
    const seeds = group.servers.map(({ serfAddress }) => `-retry-join=${serfAddress}`);
    const client = await startAgentProcess(command, {
      ...options,
      config,
      role: "client",
      args: [...(options.args ?? []), ...seeds],
    });
    const leader = await group.leader();
    const server = Number(leader.serverAddress.split(":").at(-1));
    return {
      base: client.base,
      dir: client.dir,
      // Where a recording names the one server's port, the leader's stands.
      ports: { ...client.ports, server },
      log: () => `${client.log()}\n${group.logs()}`,
      stop: async () => {
        await client.stop();
        await group.stop();
      },
    };
  } catch (error) {
    await group.stop();
    throw error;
  }
}
