// The servers among the members of a pool: whom to call, and whom to look for.
import type { MemberView } from "../gossip/types.ts";
import type { Peer } from "../rpc/peer-door.ts";
import { serverTags } from "./member-tags.ts";

/** The servers of a datacenter that can be called. */
export function serversOf(members: readonly MemberView[], datacenter: string): Peer[] {
  return members.flatMap((member) => {
    const server = member.status === "alive" ? serverTags(member) : null;
    return server === null || server.datacenter !== datacenter ? [] : [{ id: server.id, address: server.address }];
  });
}

/** Where servers that have failed took the pool's calls. */
export function serversOfBefore(members: readonly MemberView[]): string[] {
  return members
    .filter((member) => member.status === "failed" && serverTags(member) !== null)
    .map(({ address }) => address);
}
