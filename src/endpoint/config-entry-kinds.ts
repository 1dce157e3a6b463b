// The kinds of configuration entries and their fields:
// https://developer.hashicorp.com/consul/docs/reference/config-entry, a page for each kind.
import {
  alias,
  count,
  decimal,
  duration,
  durationText,
  type Fields,
  flag,
  list,
  lowerText,
  map,
  opaque,
  optional,
  pointer,
  shown,
  struct,
  text,
  texts,
  whole,
} from "./config-entry-fields.ts";

/** The kinds of Consul's community edition. */
export const CONFIG_ENTRY_KINDS = [
  "service-defaults",
  "proxy-defaults",
  "service-router",
  "service-splitter",
  "service-resolver",
  "ingress-gateway",
  "terminating-gateway",
  "service-intentions",
  "mesh",
  "exported-services",
  "api-gateway",
  "bound-api-gateway",
  "http-route",
  "tcp-route",
  "inline-certificate",
  "file-system-certificate",
  "jwt-provider",
] as const;
export type ConfigEntryKind = (typeof CONFIG_ENTRY_KINDS)[number];

export const isConfigEntryKind = (kind: string): kind is ConfigEntryKind =>
  (CONFIG_ENTRY_KINDS as readonly string[]).includes(kind);

// ---------------------------------------------------------------------------------------- what several kinds have

const named: Fields = { Kind: shown(text), Name: shown(text) };
const meta: Fields = { Meta: map(text) };

const transparentProxy = struct({ OutboundListenerPort: whole, DialedDirectly: flag });
const meshGateway = struct({ Mode: text });
const expose = struct({
  Checks: flag,
  Paths: list(struct({ ListenerPort: whole, Path: text, LocalPathPort: whole, Protocol: text, ParsedFromCheck: flag })),
});
const envoyExtensions = list(
  struct({
    Name: shown(text),
    Required: shown(flag),
    Arguments: shown(opaque),
    ConsulVersion: shown(text),
    EnvoyVersion: shown(text),
  }),
);
const headerModifiers = optional({ Add: map(text), Set: map(text), Remove: texts });
const passiveHealthCheck = optional({
  Interval: duration,
  MaxFailures: count,
  EnforcingConsecutive5xx: pointer(count),
  MaxEjectionPercent: pointer(count),
  BaseEjectionTime: pointer(duration),
});
const upstream: Fields = {
  Name: text,
  Peer: text,
  EnvoyListenerJSON: text,
  EnvoyClusterJSON: text,
  Protocol: lowerText,
  ConnectTimeoutMs: whole,
  Limits: optional({
    MaxConnections: pointer(whole),
    MaxPendingRequests: pointer(whole),
    MaxConcurrentRequests: pointer(whole),
  }),
  PassiveHealthCheck: passiveHealthCheck,
  MeshGateway: meshGateway,
  BalanceOutboundConnections: text,
};
const prioritizeByLocality = optional({ Mode: text });
const failoverPolicy = optional({ Mode: text, Regions: texts });

const tls: Fields = {
  Enabled: shown(flag),
  SDS: optional({ ClusterName: text, CertResource: text }),
  TLSMinVersion: text,
  TLSMaxVersion: text,
  CipherSuites: texts,
};
const jwt = { Providers: list(struct({ Name: text, VerifyClaims: list(struct({ Path: texts, Value: text })) })) };
const reference: Fields = { Kind: shown(text), Name: shown(text), SectionName: shown(text) };
/** Consul's gateway controller writes it; nobody does here, so it says nothing. */
const status = struct({ Conditions: shown({ ...opaque, read: () => null }) });

// ------------------------------------------------------------------------------------------------ the kinds

const serviceDefaults: Fields = {
  ...named,
  Protocol: shown(lowerText),
  Mode: text,
  TransparentProxy: transparentProxy,
  MutualTLSMode: text,
  MeshGateway: meshGateway,
  Expose: expose,
  ExternalSNI: text,
  UpstreamConfig: optional({ Overrides: list(struct(upstream)), Defaults: optional(upstream) }),
  Destination: optional({ Addresses: texts, Port: whole }),
  MaxInboundConnections: whole,
  LocalConnectTimeoutMs: whole,
  LocalRequestTimeoutMs: whole,
  BalanceInboundConnections: text,
  RateLimits: optional({
    InstanceLevel: struct({
      RequestsPerSecond: whole,
      RequestsMaxBurst: whole,
      Routes: list(
        struct({
          PathExact: text,
          PathPrefix: text,
          PathRegex: text,
          RequestsPerSecond: whole,
          RequestsMaxBurst: whole,
        }),
      ),
    }),
  }),
  EnvoyExtensions: envoyExtensions,
  ...meta,
};

const proxyDefaults: Fields = {
  ...named,
  Config: shown(opaque),
  Mode: text,
  TransparentProxy: transparentProxy,
  MutualTLSMode: text,
  MeshGateway: meshGateway,
  Expose: expose,
  AccessLogs: struct({
    Enabled: flag,
    DisableListenerLogs: flag,
    Type: text,
    Path: text,
    JSONFormat: text,
    TextFormat: text,
  }),
  EnvoyExtensions: envoyExtensions,
  FailoverPolicy: failoverPolicy,
  PrioritizeByLocality: prioritizeByLocality,
  ...meta,
};

const headerMatch: Fields = {
  Name: shown(text),
  Present: flag,
  Exact: text,
  Prefix: text,
  Suffix: text,
  Regex: text,
  Invert: flag,
};

const serviceRouter: Fields = {
  ...named,
  Routes: list(
    struct({
      Match: optional({
        HTTP: optional({
          PathExact: text,
          PathPrefix: text,
          PathRegex: text,
          CaseInsensitive: flag,
          Header: list(struct(headerMatch)),
          QueryParam: list(struct({ Name: shown(text), Present: flag, Exact: text, Regex: text })),
          Methods: texts,
        }),
      }),
      Destination: optional({
        Service: text,
        ServiceSubset: text,
        PrefixRewrite: text,
        RequestTimeout: durationText,
        IdleTimeout: durationText,
        NumRetries: count,
        RetryOnConnectFailure: flag,
        RetryOnStatusCodes: list(count),
        RetryOn: texts,
        RequestHeaders: headerModifiers,
        ResponseHeaders: headerModifiers,
      }),
    }),
  ),
  ...meta,
};

const serviceSplitter: Fields = {
  ...named,
  Splits: shown(
    list(
      struct({
        Weight: shown(decimal),
        Service: text,
        ServiceSubset: text,
        RequestHeaders: headerModifiers,
        ResponseHeaders: headerModifiers,
      }),
    ),
  ),
  ...meta,
};

const serviceResolver: Fields = {
  ...named,
  DefaultSubset: text,
  Subsets: map(struct({ Filter: text, OnlyPassing: flag })),
  Redirect: optional({ Service: text, ServiceSubset: text, Datacenter: text, Peer: text }),
  Failover: map(
    struct({
      Service: text,
      ServiceSubset: text,
      Datacenters: texts,
      Targets: list(struct({ Service: text, ServiceSubset: text, Datacenter: text, Peer: text })),
      Policy: failoverPolicy,
    }),
  ),
  ConnectTimeout: durationText,
  RequestTimeout: durationText,
  PrioritizeByLocality: prioritizeByLocality,
  LoadBalancer: optional({
    Policy: text,
    RingHashConfig: optional({ MinimumRingSize: whole, MaximumRingSize: whole }),
    LeastRequestConfig: optional({ ChoiceCount: count }),
    HashPolicies: list(
      struct({
        Field: text,
        FieldValue: text,
        CookieConfig: optional({ Session: flag, TTL: duration, Path: text }),
        SourceIP: flag,
        Terminal: flag,
      }),
    ),
  }),
  ...meta,
};

const limits: Fields = { MaxConnections: count, MaxPendingRequests: count, MaxConcurrentRequests: count };

const ingressGateway: Fields = {
  ...named,
  TLS: struct(tls),
  Listeners: shown(
    list(
      struct({
        Port: shown(whole),
        Protocol: shown(lowerText),
        TLS: optional(tls),
        Services: shown(
          list(
            struct({
              Name: shown(text),
              Hosts: shown(texts),
              TLS: optional({ SDS: optional({ ClusterName: text, CertResource: text }) }),
              RequestHeaders: headerModifiers,
              ResponseHeaders: headerModifiers,
              ...limits,
              PassiveHealthCheck: passiveHealthCheck,
              ...meta,
            }),
          ),
        ),
      }),
    ),
  ),
  Defaults: optional({
    MaxConnections: shown(count),
    MaxPendingRequests: shown(count),
    MaxConcurrentRequests: shown(count),
    PassiveHealthCheck: passiveHealthCheck,
  }),
  ...meta,
};

const terminatingGateway: Fields = {
  ...named,
  Services: shown(
    list(struct({ Name: text, CAFile: text, CertFile: text, KeyFile: text, SNI: text, DisableAutoHostRewrite: flag })),
  ),
  ...meta,
};

const serviceIntentions: Fields = {
  ...named,
  Sources: shown(
    list(
      struct({
        Name: shown(text),
        Action: text,
        Permissions: list(
          struct({
            Action: shown(text),
            HTTP: optional({
              PathExact: text,
              PathPrefix: text,
              PathRegex: text,
              Header: list(struct({ ...headerMatch, Contains: text, IgnoreCase: flag })),
              Methods: texts,
            }),
            JWT: optional(jwt),
          }),
        ),
        Precedence: shown(whole),
        LegacyID: text,
        Type: shown(text),
        Description: text,
        LegacyMeta: map(text),
        LegacyCreateTime: text,
        LegacyUpdateTime: text,
        Peer: text,
      }),
    ),
  ),
  JWT: optional(jwt),
  ...meta,
};

const directionalTls = optional({ TLSMinVersion: text, TLSMaxVersion: text, CipherSuites: texts });

const mesh: Fields = {
  ...named,
  TransparentProxy: struct({ MeshDestinationsOnly: shown(flag) }),
  AllowEnablingPermissiveMutualTLS: flag,
  ValidateClusters: flag,
  TLS: optional({ Incoming: directionalTls, Outgoing: directionalTls }),
  HTTP: optional({
    SanitizeXForwardedClientCert: shown(flag),
    Incoming: optional({
      RequestNormalization: optional({
        InsecureDisablePathNormalization: flag,
        MergeSlashes: flag,
        PathWithEscapedSlashesAction: text,
        HeadersWithUnderscoresAction: text,
      }),
    }),
  }),
  Peering: optional({ PeerThroughMeshGateways: flag }),
  ...meta,
};

const exportedServices: Fields = {
  ...named,
  Services: list(struct({ Name: shown(text), Consumers: list(struct({ Peer: alias(text, "PeerName") })) })),
  ...meta,
};

const policy = optional({ JWT: optional(jwt) });

const apiGateway: Fields = {
  ...named,
  Listeners: shown(
    list(
      struct({
        Name: shown(text),
        Hostname: shown(text),
        Port: shown(whole),
        Protocol: shown(lowerText),
        TLS: struct({
          Certificates: shown(list(struct(reference))),
          MaxVersion: alias(text, "TLSMaxVersion"),
          MinVersion: alias(text, "TLSMinVersion"),
          CipherSuites: texts,
        }),
        Override: policy,
        Default: policy,
      }),
    ),
  ),
  Status: status,
  ...meta,
};

const httpHeaders = shown(list(struct({ Add: shown(map(text)), Remove: shown(texts), Set: shown(map(text)) })));
const httpFilters = struct({
  Headers: httpHeaders,
  URLRewrite: shown(optional({ Path: shown(text) })),
  RetryFilter: shown(
    optional({
      NumRetries: shown(count),
      RetryOn: shown(texts),
      RetryOnStatusCodes: shown(list(count)),
      RetryOnConnectFailure: shown(flag),
    }),
  ),
  TimeoutFilter: shown(optional({ RequestTimeout: shown(duration), IdleTimeout: shown(duration) })),
  JWT: shown(optional(jwt)),
});
const httpResponseFilters = struct({ Headers: httpHeaders });

const httpRoute: Fields = {
  ...named,
  Parents: shown(list(struct(reference))),
  Rules: shown(
    list(
      struct({
        Filters: httpFilters,
        ResponseFilters: httpResponseFilters,
        Matches: shown(
          list(
            struct({
              Headers: shown(list(struct({ Match: shown(text), Name: shown(text), Value: shown(text) }))),
              Method: shown(text),
              Path: struct({ Match: shown(text), Value: shown(text) }),
              Query: shown(list(struct({ Match: shown(text), Name: shown(text), Value: shown(text) }))),
            }),
          ),
        ),
        Services: shown(
          list(
            struct({
              Name: shown(text),
              Weight: shown(whole),
              Filters: httpFilters,
              ResponseFilters: httpResponseFilters,
            }),
          ),
        ),
      }),
    ),
  ),
  Hostnames: shown(texts),
  Status: status,
  ...meta,
};

const tcpRoute: Fields = {
  ...named,
  Parents: shown(list(struct(reference))),
  Services: shown(list(struct({ Name: shown(text) }))),
  Status: status,
  ...meta,
};

const certificate: Fields = { ...named, Certificate: shown(text), PrivateKey: shown(text), ...meta };

const jwtProvider: Fields = {
  ...named,
  JSONWebKeySet: optional({
    Local: optional({ JWKS: text, Filename: text }),
    Remote: optional({
      URI: text,
      RequestTimeoutMs: whole,
      CacheDuration: duration,
      FetchAsynchronously: flag,
      UseSNI: flag,
      RetryPolicy: optional({
        NumRetries: whole,
        RetryPolicyBackOff: optional({ BaseInterval: duration, MaxInterval: duration }),
      }),
      JWKSCluster: optional({
        DiscoveryType: text,
        ConnectTimeout: duration,
        TLSCertificates: optional({
          CaCertificateProviderInstance: optional({ InstanceName: text, CertificateName: text }),
          TrustedCA: optional({
            Filename: text,
            EnvironmentVariable: text,
            InlineString: text,
            InlineBytes: text,
          }),
        }),
      }),
    }),
  }),
  Issuer: text,
  Audiences: texts,
  Locations: list(
    struct({
      Header: optional({ Name: text, ValuePrefix: text, Forward: flag }),
      QueryParam: optional({ Name: text }),
      Cookie: optional({ Name: text }),
    }),
  ),
  Forwarding: optional({ HeaderName: text, PadForwardPayloadHeader: flag }),
  ClockSkewSeconds: whole,
  CacheConfig: optional({ Size: whole }),
  ...meta,
};

export const configEntryFields: Readonly<Record<ConfigEntryKind, Fields>> = {
  "service-defaults": serviceDefaults,
  "proxy-defaults": proxyDefaults,
  "service-router": serviceRouter,
  "service-splitter": serviceSplitter,
  "service-resolver": serviceResolver,
  "ingress-gateway": ingressGateway,
  "terminating-gateway": terminatingGateway,
  "service-intentions": serviceIntentions,
  mesh,
  "exported-services": exportedServices,
  "api-gateway": apiGateway,
  "bound-api-gateway": { ...named, Listeners: shown(list(opaque)), Services: opaque, ...meta },
  "http-route": httpRoute,
  "tcp-route": tcpRoute,
  "inline-certificate": certificate,
  "file-system-certificate": certificate,
  "jwt-provider": jwtProvider,
};
