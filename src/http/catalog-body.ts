// Nodes, services and checks as clients send them to the catalog and in transactions, and the records that become of them.
import type { Unindexed } from "../state/command.ts";
import { OperationalError } from "../types/error.ts";
import type { CheckStatus, HealthCheck, Node, NodeService, Uint64, UserMap, Weights } from "../types/records.ts";
import {
  bool,
  type Decoder,
  durationText,
  int,
  list,
  map,
  nullable,
  object,
  raw,
  string,
  uint64,
} from "../util/decode.ts";
import { userMap } from "../util/user-map.ts";

/** A node as it is sent; `ModifyIndex` is what conditional operations compare with. */
export interface NodeBody {
  ID: string;
  Node: string;
  Address: string;
  Datacenter: string;
  TaggedAddresses: UserMap | null;
  Meta: UserMap | null;
  ModifyIndex: Uint64;
}
export const nodeBody: Decoder<NodeBody> = object({
  ID: string,
  Node: string,
  Address: string,
  Datacenter: string,
  TaggedAddresses: nullable(map(string)),
  Meta: nullable(map(string)),
  ModifyIndex: uint64,
});

type ServiceBody = Omit<
  NodeService,
  "Node" | "Weights" | "Proxy" | "Connect" | "PeerName" | "CreateIndex" | "ModifyIndex"
> & {
  Weights: Weights | null;
  Proxy: UserMap<unknown> | null;
  Connect: UserMap<unknown> | null;
  ModifyIndex: Uint64;
};
export const serviceBody: Decoder<ServiceBody> = object({
  Kind: string,
  ID: string,
  Service: string,
  Tags: list(string),
  Address: string,
  TaggedAddresses: nullable(map(object({ Address: string, Port: int }))),
  Meta: nullable(map(string)),
  Port: int,
  Ports: nullable(list(object({ Name: string, Port: int, Default: bool }))),
  SocketPath: string,
  Weights: nullable(object({ Passing: int, Warning: int })),
  EnableTagOverride: bool,
  Proxy: nullable(map(raw)),
  Connect: nullable(map(raw)),
  Locality: nullable(map(string)),
  ModifyIndex: uint64,
});

type CheckBody = Omit<HealthCheck, "Status" | "Definition" | "CreateIndex" | "ModifyIndex"> & {
  Status: string;
  Definition: UserMap<unknown> | null;
  ModifyIndex: Uint64;
};
export const checkBody: Decoder<CheckBody> = object({
  Node: string,
  CheckID: string,
  Name: string,
  Status: string,
  Notes: string,
  Output: string,
  ServiceID: string,
  ServiceName: string,
  ServiceTags: list(string),
  Type: string,
  Interval: durationText,
  Timeout: durationText,
  ExposedPort: int,
  Definition: nullable(map(raw)),
  ModifyIndex: uint64,
});

interface RegisterBody {
  Datacenter: string;
  ID: string;
  Node: string;
  Address: string;
  TaggedAddresses: UserMap | null;
  NodeMeta: UserMap | null;
  Service: ServiceBody | null;
  Check: CheckBody | null;
  Checks: CheckBody[];
  SkipNodeUpdate: boolean;
}
export const registerBody: Decoder<RegisterBody> = object({
  Datacenter: string,
  ID: string,
  Node: string,
  Address: string,
  TaggedAddresses: nullable(map(string)),
  NodeMeta: nullable(map(string)),
  Service: nullable(serviceBody),
  Check: nullable(checkBody),
  Checks: list(checkBody),
  SkipNodeUpdate: bool,
});

interface DeregisterBody {
  Datacenter: string;
  Node: string;
  Address: string;
  ServiceID: string;
  CheckID: string;
}
export const deregisterBody: Decoder<DeregisterBody> = object({
  Datacenter: string,
  Node: string,
  Address: string,
  ServiceID: string,
  CheckID: string,
});

const emptyMap = (): UserMap<unknown> => userMap<unknown>();

export function nodeOf(body: NodeBody): Unindexed<Node> {
  const { ModifyIndex: _index, ...node } = body;
  return node;
}

/** @throws OperationalError for weights and ports that cannot be. */
export function serviceOf(body: ServiceBody, node: string): Unindexed<NodeService> {
  const Weights = body.Weights ?? { Passing: 1, Warning: 1 };
  if (Weights.Passing < 0 || Weights.Warning < 0 || Weights.Passing > 65_535 || Weights.Warning > 65_535)
    throw new OperationalError("refused", "DNS Weight must be between 0 and 65535");
  if (body.Ports !== null && body.Port !== 0) throw new OperationalError("refused", "Cannot set both Port and Ports");
  return {
    Node: node,
    Kind: body.Kind,
    ID: body.ID,
    Service: body.Service,
    Tags: body.Tags,
    Address: body.Address,
    TaggedAddresses: body.TaggedAddresses,
    Meta: body.Meta,
    Port: body.Ports?.find(({ Default }) => Default)?.Port ?? body.Port,
    Ports: body.Ports,
    SocketPath: body.SocketPath,
    Weights,
    EnableTagOverride: body.EnableTagOverride,
    Proxy: body.Proxy ?? emptyMap(),
    Connect: body.Connect ?? emptyMap(),
    Locality: body.Locality,
    PeerName: "",
  };
}

export function checkOf(body: CheckBody, node: string): Unindexed<HealthCheck> {
  return {
    Node: node,
    CheckID: body.CheckID === "" ? body.Name : body.CheckID,
    Name: body.Name,
    Status: (body.Status === "" ? "critical" : body.Status) as CheckStatus,
    Notes: body.Notes,
    Output: body.Output,
    ServiceID: body.ServiceID,
    ServiceName: body.ServiceName,
    ServiceTags: body.ServiceTags,
    Type: body.Type,
    Interval: body.Interval,
    Timeout: body.Timeout,
    ExposedPort: body.ExposedPort,
    Definition: body.Definition ?? emptyMap(),
  };
}
