// All commands: the table that words are looked up in and that the help is made from.
import type { Command } from "./command.ts";
import { agent } from "./commands/agent.ts";
import { catalogDatacenters } from "./commands/catalog-datacenters.ts";
import { catalogNodes } from "./commands/catalog-nodes.ts";
import { catalogServices } from "./commands/catalog-services.ts";
import { configEntries } from "./commands/config.ts";
import { event } from "./commands/event.ts";
import { exec } from "./commands/exec.ts";
import { forceLeave } from "./commands/force-leave.ts";
import { info } from "./commands/info.ts";
import { join } from "./commands/join.ts";
import { keygen } from "./commands/keygen.ts";
import { kvDelete } from "./commands/kv-delete.ts";
import { kvExport } from "./commands/kv-export.ts";
import { kvGet } from "./commands/kv-get.ts";
import { kvImport } from "./commands/kv-import.ts";
import { kvPut } from "./commands/kv-put.ts";
import { leave } from "./commands/leave.ts";
import { lock } from "./commands/lock.ts";
import { maint } from "./commands/maint.ts";
import { members } from "./commands/members.ts";
import { monitor } from "./commands/monitor.ts";
import { operatorAutopilot } from "./commands/operator-autopilot.ts";
import { operatorPrimary } from "./commands/operator-primary.ts";
import { operatorRaft } from "./commands/operator-raft.ts";
import { reload } from "./commands/reload.ts";
import { rtt } from "./commands/rtt.ts";
import { services } from "./commands/services.ts";
import { snapshots } from "./commands/snapshot.ts";
import { unsupported } from "./commands/unsupported.ts";
import { validate } from "./commands/validate.ts";
import { version } from "./commands/version.ts";
import { watch } from "./commands/watch.ts";

const groups: readonly Command[] = [
  { name: "catalog", synopsis: "Reads the catalog of nodes and services" },
  { name: "config", synopsis: "Reads and writes configuration entries" },
  { name: "kv", synopsis: "Reads and writes the key-value store" },
  { name: "operator", synopsis: "Tools for those who run the servers" },
  { name: "operator autopilot", synopsis: "Shows and changes how servers are cared for" },
  { name: "operator primary", synopsis: "Shows and moves the primary datacenter" },
  { name: "operator raft", synopsis: "Shows and changes the servers of the Raft configuration" },
  { name: "services", synopsis: "Registers and deregisters services" },
  { name: "snapshot", synopsis: "Saves, restores and shows the state of a cluster" },
];

export const commandTable: readonly Command[] = [
  ...groups,
  agent,
  catalogDatacenters,
  catalogNodes,
  catalogServices,
  ...configEntries,
  event,
  exec,
  forceLeave,
  info,
  join,
  keygen,
  kvDelete,
  kvExport,
  kvGet,
  kvImport,
  kvPut,
  leave,
  lock,
  maint,
  members,
  monitor,
  ...operatorAutopilot,
  ...operatorPrimary,
  ...operatorRaft,
  reload,
  rtt,
  ...services,
  ...snapshots,
  validate,
  version,
  watch,
  ...unsupported,
];
