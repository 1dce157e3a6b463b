// The record types that `?filter=` works on and their selectors, as
// https://developer.hashicorp.com/consul/api-docs/features/filtering and the pages of the endpoints list them. Raft
// indexes, localities, named ports, check definitions and free-form proxy configuration cannot be selected.

import { bool, type Field, type FieldSet, fieldSet, int, list, map, object, string, uint } from "./field.ts";

const serviceAddress: Field = object(fieldSet({ Address: string, Port: int }));
const weights: Field = object(fieldSet({ Passing: int, Warning: int }));
const connect: Field = object(fieldSet({ Native: bool }));

const meshGateway: Field = object(fieldSet({ Mode: string }));
const transparentProxy: Field = object(fieldSet({ OutboundListenerPort: int, DialedDirectly: bool }));
const expose: Field = object(
  fieldSet({
    Checks: bool,
    Paths: list(
      object(
        fieldSet({ ListenerPort: int, Path: string, LocalPathPort: int, Protocol: string, ParsedFromCheck: bool }),
      ),
    ),
  }),
);
const envoyExtensions: Field = list(
  object(fieldSet({ Name: string, Required: bool, ConsulVersion: string, EnvoyVersion: string })),
);

const proxy: Field = object(
  fieldSet({
    EnvoyExtensions: envoyExtensions,
    DestinationServiceName: string,
    DestinationServiceID: string,
    LocalServiceAddress: string,
    LocalServicePort: int,
    LocalServiceSocketPath: string,
    Mode: string,
    Upstreams: list(
      object(
        fieldSet({
          DestinationType: string,
          DestinationNamespace: string,
          DestinationPartition: string,
          DestinationPeer: string,
          DestinationName: string,
          Datacenter: string,
          LocalBindAddress: string,
          LocalBindPort: int,
          LocalBindSocketPath: string,
          LocalBindSocketMode: string,
          MeshGateway: meshGateway,
        }),
      ),
    ),
    MeshGateway: meshGateway,
    Expose: expose,
    TransparentProxy: transparentProxy,
    AccessLogs: object(
      fieldSet({
        Enabled: bool,
        DisableListenerLogs: bool,
        Type: string,
        Path: string,
        JSONFormat: string,
        TextFormat: string,
      }),
    ),
  }),
);

/** `/v1/catalog/nodes`. */
export const nodeFields: FieldSet = fieldSet({
  ID: string,
  Node: string,
  Address: string,
  Datacenter: string,
  Partition: string,
  PeerName: string,
  TaggedAddresses: map(string),
  Meta: map(string),
});

/** `/v1/catalog/service/:name`, `/v1/catalog/connect/:name`, and the instances behind `/v1/catalog/services`. */
export const serviceNodeFields: FieldSet = fieldSet({
  ID: string,
  Node: string,
  Address: string,
  Datacenter: string,
  TaggedAddresses: map(string),
  NodeMeta: map(string),
  ServiceKind: string,
  ServiceID: string,
  ServiceName: string,
  ServiceTags: list(string),
  ServiceAddress: string,
  ServiceTaggedAddresses: map(serviceAddress),
  ServiceWeights: weights,
  ServiceMeta: map(string),
  ServicePort: int,
  ServiceSocketPath: string,
  ServiceEnableTagOverride: bool,
  ServiceProxy: proxy,
  ServiceConnect: connect,
  PeerName: string,
});

/** The services of `/v1/catalog/node/:node`, `/v1/catalog/node-services/:node` and `/v1/agent/services`. */
export const nodeServiceFields: FieldSet = fieldSet({
  Kind: string,
  ID: string,
  Service: string,
  Tags: list(string),
  Address: string,
  TaggedAddresses: map(serviceAddress),
  Meta: map(string),
  Port: int,
  SocketPath: string,
  Weights: weights,
  EnableTagOverride: bool,
  Proxy: proxy,
  Connect: connect,
  PeerName: string,
});

/** `/v1/health/node`, `/v1/health/checks`, `/v1/health/state` and `/v1/agent/checks`. */
export const checkFields: FieldSet = fieldSet({
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
  Interval: string,
  Timeout: string,
  ExposedPort: int,
  PeerName: string,
});

/** `/v1/health/service`, `/v1/health/connect`, `/v1/health/ingress` and `/v1/internal/ui/services`. */
export const checkServiceNodeFields: FieldSet = fieldSet({
  Node: object(nodeFields),
  Service: object(nodeServiceFields),
  Checks: list(object(checkFields)),
});

/** `/v1/internal/ui/nodes`. */
export const nodeInfoFields: FieldSet = fieldSet({
  ID: string,
  Node: string,
  Partition: string,
  PeerName: string,
  Address: string,
  TaggedAddresses: map(string),
  Meta: map(string),
  Services: list(object(nodeServiceFields)),
  Checks: list(object(checkFields)),
});

/** `/v1/agent/members`, by the field names of the answer. Consul has the address as bytes, which no filter can compare. */
export const memberFields: FieldSet = fieldSet({
  Name: string,
  Addr: string,
  Port: uint(16),
  Tags: map(string),
  Status: int,
  ProtocolMin: uint(8),
  ProtocolMax: uint(8),
  ProtocolCur: uint(8),
  DelegateMin: uint(8),
  DelegateMax: uint(8),
  DelegateCur: uint(8),
});

const upstream: Field = object(
  fieldSet({
    Name: string,
    Peer: string,
    EnvoyListenerJSON: string,
    EnvoyClusterJSON: string,
    Protocol: string,
    ConnectTimeoutMs: int,
    Limits: object(fieldSet({ MaxConnections: int, MaxPendingRequests: int, MaxConcurrentRequests: int })),
    PassiveHealthCheck: object(
      fieldSet({
        Interval: int,
        MaxFailures: uint(32),
        EnforcingConsecutive5xx: uint(32),
        MaxEjectionPercent: uint(32),
        BaseEjectionTime: int,
      }),
    ),
    MeshGateway: meshGateway,
    BalanceOutboundConnections: string,
  }),
);

/** `/v1/config/service-defaults`, the only kind of entry that can be filtered. */
export const serviceDefaultsFields: FieldSet = fieldSet({
  Kind: string,
  Name: string,
  Protocol: string,
  Mode: string,
  TransparentProxy: transparentProxy,
  MutualTLSMode: string,
  MeshGateway: meshGateway,
  Expose: expose,
  ExternalSNI: string,
  UpstreamConfig: object(fieldSet({ Overrides: list(upstream), Defaults: upstream })),
  Destination: object(fieldSet({ Addresses: list(string), Port: int })),
  MaxInboundConnections: int,
  LocalConnectTimeoutMs: int,
  LocalRequestTimeoutMs: int,
  BalanceInboundConnections: string,
  RateLimits: object(
    fieldSet({
      InstanceLevel: object(
        fieldSet({
          RequestsPerSecond: int,
          RequestsMaxBurst: int,
          Routes: list(
            object(
              fieldSet({
                PathExact: string,
                PathPrefix: string,
                PathRegex: string,
                RequestsPerSecond: int,
                RequestsMaxBurst: int,
              }),
            ),
          ),
        }),
      ),
    }),
  ),
  EnvoyExtensions: envoyExtensions,
  Meta: map(string),
  Hash: uint(64),
  MaxRequestHeadersKB: uint(32),
});
