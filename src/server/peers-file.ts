// `raft/peers.json`, by which an operator says who is in the group when its quorum is lost or all addresses have changed
// (https://developer.hashicorp.com/consul/tutorials/operate-consul/recovery-outage). Read when a server starts, deleted
// once the group works. A faulty file stops the start and changes nothing.
import type { Server } from "../raft/types.ts";
import { OperationalError } from "../types/error.ts";
import { text } from "../util/bytes.ts";
import { parseJson } from "../util/json.ts";

/** The files' names, in the directory of the log. */
export const PEERS_FILE = "peers.json";
/** What explains the other. */
export const PEERS_INFO_FILE = "peers.info";

/** How an entry looks; said wherever a file is refused. */
const FORM = '[{ "id": "<node id>", "address": "<ip>:<server port>", "non_voter": false }]';

/** What lies beside the log for who looks there. */
export const PEERS_INFO: string = `The file peers.json in this directory says who is in the Raft group when its quorum is lost for good.
As long as a quorum works, "proconsul operator raft remove-peer" takes a dead server out, and no file is needed.
"proconsul operator raft recover" makes a quorum out of the survivors without a file, and says first what it would do.

To do it by hand: stop all remaining servers, write the same peers.json beside each one's log, and start them. It lists
the servers that remain, each with its node id (the file "node-id" of the data directory), the address where it takes
calls of other servers, and whether it is to have no vote ("non_voter", false when left out):

  [
    { "id": "adf4238a-882b-9ddc-4a9d-5b6758e4159e", "address": "10.1.0.1:8300", "non_voter": false },
    { "id": "8b6dda82-3103-11e7-93ae-92361f002671", "address": "10.1.0.2:8300", "non_voter": false }
  ]

The servers listed wait for each other; the one whose log is newest leads, and the others follow it and get their votes
back one by one. Servers that are not listed are left out for good: they are turned away when they come back, and must join
as new ones. peers.json is deleted when the group works. A file that is faulty, that has two servers of one id, no voter,
or not this server, stops the start and changes nothing.
`;

/**
 * The servers that the file lists, sorted by id.
 * @throws OperationalError `invalid-request` that says what is wrong with it.
 */
export function parsePeers(bytes: Uint8Array, ownId: string): readonly Server[] {
  const faulty = (why: string): OperationalError =>
    new OperationalError(
      "invalid-request",
      `raft/${PEERS_FILE}: ${why}. Nothing was changed. It must be of the form ${FORM}`,
    );
  let value: unknown;
  try {
    value = parseJson(text(bytes));
  } catch (error) {
    throw faulty(`it is no JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(value)) throw faulty("it is no list");
  const peers = (value as unknown[]).map((entry, at): Server => {
    if (typeof entry === "string")
      throw faulty(
        `it is of Consul's legacy format, a list of addresses; write for ${JSON.stringify(entry)} the object { "id": "<its node id>", "address": ${JSON.stringify(entry)} }`,
      );
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) throw faulty(`entry ${at} is no object`);
    const { id, address, non_voter: nonVoter = false, ...more } = entry as Record<string, unknown>;
    if (typeof id !== "string" || id === "") throw faulty(`entry ${at} has no id`);
    if (typeof address !== "string" || !/^.+:\d{1,5}$/.test(address))
      throw faulty(`entry ${at} has no address with a port`);
    if (typeof nonVoter !== "boolean") throw faulty(`entry ${at}: non_voter is neither true nor false`);
    const [unknown] = Object.keys(more);
    if (unknown !== undefined) throw faulty(`entry ${at} has the unknown field ${JSON.stringify(unknown)}`);
    return { id, address, voter: !nonVoter };
  });
  for (const field of ["id", "address"] as const) {
    const twice = peers.find((peer, at) => peers.findIndex((other) => other[field] === peer[field]) !== at);
    if (twice !== undefined) throw faulty(`two entries have the ${field} ${JSON.stringify(twice[field])}`);
  }
  if (!peers.some(({ voter }) => voter)) throw faulty("it lists no voter");
  if (!peers.some(({ id }) => id === ownId)) throw faulty(`it does not list this server, ${ownId}`);
  return peers.sort((a, b) => (a.id < b.id ? -1 : 1));
}
