// After all faults have ended the datacenters must come to know each other: every server holds for alive who is there in any of
// them, every agent lists all of them, and any agent is answered by any of them.
import { ALIVE, type MemberRow, type Present, rows, sorted } from "./members.ts";

/** What is not yet as it should be; null when all agents tell the truth of all datacenters. */
export async function federationProblem(present: readonly Present[]): Promise<string | null> {
  const servers = present.filter(({ kind }) => kind === "server");
  const names = sorted(servers.map(({ name, datacenter }) => `${name}.${datacenter}`));
  for (const agent of servers) {
    const members = await rows<MemberRow>(agent, "/v1/agent/members?wan=1");
    const alive = sorted(members?.filter(({ Status }) => Status === ALIVE).map(({ Name }) => Name) ?? []);
    if (alive !== names) return `${agent.name} knows the servers ${alive}, there are ${names}`;
  }
  const datacenters = [...new Set(present.map(({ datacenter }) => datacenter))];
  for (const agent of present) {
    const listed = (await rows<string>(agent, "/v1/catalog/datacenters")) ?? [];
    if (listed[0] !== agent.datacenter || sorted(listed) !== sorted(datacenters))
      return `${agent.name} of ${agent.datacenter} lists the datacenters ${listed.join()}, there are ${datacenters.join()}`;
    for (const datacenter of datacenters) {
      const nodes =
        (await rows<{ Node: string; Datacenter: string }>(agent, `/v1/catalog/nodes?dc=${datacenter}`)) ?? [];
      const wrong = nodes.find((node) => node.Datacenter !== datacenter);
      if (nodes.length === 0 || wrong !== undefined)
        return `${agent.name} asks for the nodes of ${datacenter}, and gets ${wrong === undefined ? "none" : wrong.Datacenter}`;
    }
  }
  return null;
}
