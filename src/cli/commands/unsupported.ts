// Commands of Consul that this build does not have: they are named, so that a script fails with a reason.
import type { Command } from "../command.ts";
import { CliError } from "../command.ts";

const names: readonly [name: string, what: string][] = [
  ["acl", "access control"],
  ["connect", "the service mesh"],
  ["debug", "diagnostic archives"],
  ["intention", "the service mesh"],
  ["keyring", "the keyring of gossip"],
  ["login", "auth methods"],
  ["logout", "auth methods"],
  ["operator feature", "feature gates"],
  ["operator usage", "usage reports"],
  ["operator utilization", "usage reports"],
  ["peering", "cluster peering"],
  ["resource", "the resource API"],
  ["services export", "cluster peering"],
  ["services exported-services", "cluster peering"],
  ["services imported-services", "cluster peering"],
  ["tls", "certificates"],
  ["troubleshoot", "diagnosis of the mesh"],
];

/** Each exits with 1 and says so; none is in a list of commands. */
export const unsupported: readonly Command[] = names.map(([name, what]) => ({
  name,
  synopsis: "",
  hidden: true,
  raw: true,
  run: async () => {
    throw new CliError(`"${name}" is unsupported: this build does not have ${what}.`);
  },
}));
