// After all faults have ended gossip must come to the truth, and the catalog with it: every agent knows who is there, and
// each of those is in the catalog, in good health, servers under the service `consul`. What is gone may still be known,
// but not as alive.

/** An agent, as far as this check needs it: machines that were taken away are none. */
export interface Present {
  readonly name: string;
  readonly datacenter: string;
  readonly kind: "server" | "client";
  /** Asks it; null when it does not answer. */
  ask(target: string): Promise<{ status: number; body: string } | null>;
}

export interface MemberRow {
  Name: string;
  Status: number;
}

interface CheckRow {
  Node: string;
  CheckID: string;
  Status: string;
}

interface ServiceRow {
  Node: { Node: string };
}

/** Serf's. */
export const ALIVE = 1;

/** What is not yet as it should be; null when all agents, and the catalog, tell the truth. */
export async function membersProblem(present: readonly Present[]): Promise<string | null> {
  const names = sorted(present.map(({ name }) => name));
  const servers = sorted(present.filter(({ kind }) => kind === "server").map(({ name }) => name));
  for (const agent of present) {
    const members = await rows<MemberRow>(agent, "/v1/agent/members");
    const alive = sorted(members?.filter(({ Status }) => Status === ALIVE).map(({ Name }) => Name) ?? []);
    if (alive !== names) return `${agent.name} knows the members ${alive}, there are ${names}`;
  }
  const [asked] = present;
  if (asked === undefined) return null;
  const checks = (await rows<CheckRow>(asked, "/v1/health/state/any"))?.filter(
    ({ CheckID }) => CheckID === "serfHealth",
  );
  const healthy = sorted(checks?.filter(({ Status }) => Status === "passing").map(({ Node }) => Node) ?? []);
  if (healthy !== names) return `the catalog calls ${healthy} healthy, there are ${names}`;
  const instances = await rows<ServiceRow>(asked, "/v1/health/service/consul?passing");
  const serving = sorted(instances?.map(({ Node }) => Node.Node) ?? []);
  return serving === servers ? null : `the catalog has the service consul on ${serving}, the servers are ${servers}`;
}

export const sorted = (names: readonly string[]): string => [...names].sort().join();

/** What it answers; null when it does not. */
export async function rows<T>(agent: Present, target: string): Promise<T[] | null> {
  const reply = await agent.ask(target);
  return reply?.status === 200 ? (JSON.parse(reply.body) as T[]) : null;
}
