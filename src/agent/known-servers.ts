// The servers among the members of a pool: whom to call, whom to look for, and what the pool between datacenters would show.
import type { AgentMember } from "../client/types.ts";
import type { MemberView } from "../gossip/types.ts";
import type { Peer } from "../rpc/peer-door.ts";
import { serverTags, shownMember } from "./member-tags.ts";

/** The servers of a datacenter that can be called. */
export function serversOf(members: readonly MemberView[], datacenter: string): Peer[] {
  return members.flatMap((member) => {
    const server = member.status === "alive" ? serverTags(member) : null;
    return server === null || server.datacenter !== datacenter ? [] : [{ id: server.id, address: server.address }];
  });
}

/** The members of the WAN pool, as far as this datacenter goes: its servers. */
export function wanMembers(members: readonly MemberView[], datacenter: string): AgentMember[] {
  return members.flatMap((member) => {
    const server = serverTags(member);
    if (server === null) return [];
    const shown = shownMember(member);
    return [{ ...shown, Name: `${shown.Name}.${datacenter}`, Port: server.wanJoinPort }];
  });
}

/** Where servers that have failed took the pool's calls. */
export function serversOfBefore(members: readonly MemberView[]): string[] {
  return members
    .filter((member) => member.status === "failed" && serverTags(member) !== null)
    .map(({ address }) => address);
}
