// Health: https://developer.hashicorp.com/consul/api-docs/health.
import { checkFields, checkServiceNodeFields } from "../filter/fields.ts";
import type { InstanceHealth, Read } from "../state/read.ts";
import type { StateStore } from "../state/store.ts";
import type { HealthCheck, Node } from "../types/records.ts";
import { type ServiceArgs, serviceKey } from "./catalog.ts";
import { keyOf, type QueryEndpoint } from "./endpoint.ts";
import { type Narrowing, narrowed, narrowingKey } from "./narrowing.ts";
import { nodeServiceShape } from "./shape.ts";

export interface HealthServiceArgs extends ServiceArgs {
  /** Only instances all of whose checks pass. */
  passing: boolean;
}

/** The instances of a service with their checks. */
export const healthService: QueryEndpoint<HealthServiceArgs, readonly InstanceHealth[]> = {
  kind: "query",
  name: "health.service",
  run(state, args) {
    const read = state.healthService(args.service, { tags: args.tags, connect: args.connect });
    const rows = args.passing ? read.value.filter(isPassing) : read.value;
    return { ...read, value: narrowed(state, rows, args, checkServiceNodeFields, (row) => row.Node, healthShape) };
  },
  key: (args) => serviceKey("health.service", args, args.passing),
};

const isPassing = ({ Checks }: InstanceHealth): boolean => Checks.every(({ Status }) => Status === "passing");

/** A row as the API shows it. */
export const healthShape = ({ Node: node, Service, Checks }: InstanceHealth): Record<string, unknown> => ({
  Node: node,
  Service: nodeServiceShape(Service),
  Checks,
});

export interface ChecksArgs extends Narrowing {
  /** A node, a service or a state, as the endpoint says. */
  of: string;
}

const checksKey = (name: string, args: ChecksArgs): string | null => {
  const narrowing = narrowingKey(args);
  return narrowing === null ? null : keyOf(name, args.of, narrowing);
};

function narrowedChecks(
  state: StateStore,
  read: Read<readonly HealthCheck[]>,
  args: ChecksArgs,
): Read<readonly HealthCheck[]> {
  const nodes = new Map<string, Node | null>();
  const nodeOf = (check: HealthCheck): Node | null => {
    let node = nodes.get(check.Node);
    if (node === undefined) nodes.set(check.Node, (node = state.node(check.Node).value));
    return node;
  };
  const value = narrowed(state, read.value, args, checkFields, nodeOf);
  if (args.nodeMeta.length === 0) return { ...read, value };
  // Then the answer also depends on what the nodes say of themselves.
  const all = state.nodes();
  return { value, index: Math.max(read.index, all.index), topics: [...read.topics, ...all.topics] };
}

/** The checks of a node and of its services. */
export const healthNode: QueryEndpoint<ChecksArgs, readonly HealthCheck[]> = {
  kind: "query",
  name: "health.node",
  run: (state, args) => narrowedChecks(state, state.nodeChecks(args.of), args),
  key: (args) => checksKey("health.node", args),
};

/** The checks of a service's instances. */
export const healthChecks: QueryEndpoint<ChecksArgs, readonly HealthCheck[]> = {
  kind: "query",
  name: "health.checks",
  run: (state, args) => narrowedChecks(state, state.serviceChecks(args.of), args),
  key: (args) => checksKey("health.checks", args),
};

/** The checks in a state, or all of them for `any`. */
export const healthState: QueryEndpoint<ChecksArgs, readonly HealthCheck[]> = {
  kind: "query",
  name: "health.state",
  run: (state, args) => narrowedChecks(state, state.checksInState(args.of), args),
  key: (args) => checksKey("health.state", args),
};
