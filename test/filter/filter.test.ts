import assert from "node:assert/strict";
import { test } from "node:test";
import { bool, fieldSet, int, list, map, object, string, uint } from "../../src/filter/field.ts";
import {
  checkFields,
  checkServiceNodeFields,
  memberFields,
  nodeFields,
  nodeInfoFields,
  nodeServiceFields,
  serviceDefaultsFields,
  serviceNodeFields,
} from "../../src/filter/fields.ts";
import { compileFilter } from "../../src/filter/filter.ts";
import { OperationalError } from "../../src/types/error.ts";
import { toUserMap } from "../../src/util/user-map.ts";

const instance = {
  Node: {
    ID: "",
    Node: "foo",
    Address: "10.1.1.1",
    Datacenter: "dc1",
    TaggedAddresses: null,
    Meta: toUserMap([["rack", "r1"]]),
  },
  Service: {
    ID: "web-1",
    Service: "web",
    Tags: ["v1", "primary"],
    Meta: toUserMap([
      ["env", "prod"],
      ["a.b c", "dotted"],
      ["empty", ""],
    ]),
    Port: 8080,
    Address: "",
    TaggedAddresses: toUserMap([["lan", { Address: "10.1.1.1", Port: 8080 }]]),
    Weights: { Passing: 10, Warning: 1 },
    EnableTagOverride: true,
    Proxy: { Upstreams: [{ DestinationName: "db", LocalBindPort: 5432 }] },
    Connect: {},
  },
  Checks: [
    { CheckID: "c1", Status: "passing", ServiceTags: ["v1"], Output: "ok" },
    { CheckID: "c2", Status: "critical", ServiceTags: [], Output: "" },
  ],
};

test("compileFilter: what an instance of a service answers", () => {
  const table: readonly [string, boolean][] = [
    ["", true],
    ["Node.Node == foo", true],
    ["Node.Node == bar", false],
    ["Node.Node != bar", true],
    ['Node.ID == ""', true],
    ["Service.Port == 8080", true],
    ['Service.Port == "0x1f90"', true],
    ['Service.Port == "8_080"', true],
    ["Service.Port != 80", true],
    ["Service.Weights.Passing == 10", true],
    ["Service.EnableTagOverride == true", true],
    ["Service.EnableTagOverride == 1", true],
    ["Service.EnableTagOverride != false", true],
    ["Service.Connect.Native == false", true],
    ["v1 in Service.Tags", true],
    ["Service.Tags contains v2", false],
    ["v2 not in Service.Tags", true],
    ["Service.Tags is empty", false],
    ["Service.Tags is not empty", true],
    // `in` on a text is a part of it
    ["eb in Service.Service", true],
    ["Service.Service contains x", false],
    ["eb not in Service.Service", false],
    // maps: keys, values, emptiness
    ["env in Service.Meta", true],
    ["nope in Service.Meta", false],
    ["constructor in Service.Meta", false],
    ["Service.Meta contains env", true],
    ["Service.Meta.env == prod", true],
    ['Service.Meta["a.b c"] == dotted', true],
    ["Service.Meta.env contains ro", true],
    ["Service.Meta is not empty", true],
    ["Node.TaggedAddresses is empty", true],
    ["Node.TaggedAddresses.lan == x", false],
    ["Node.TaggedAddresses.lan != x", true],
    // a missing key passes every operator but ==, is not empty and in
    ["Service.Meta.nope == x", false],
    ["Service.Meta.nope != x", true],
    ["x in Service.Meta.nope", false],
    ["x not in Service.Meta.nope", true],
    ["Service.Meta.nope matches x", true],
    ["Service.Meta.nope not matches x", true],
    ['Service.Meta["__proto__"] != x', true],
    ["Service.Meta.constructor == x", false],
    ['Service.Meta.empty == ""', true],
    ["Service.TaggedAddresses.lan.Port == 8080", true],
    ["Service.TaggedAddresses.wan.Port == 8080", false],
    ["Service.TaggedAddresses.wan.Port != 8080", true],
    // lists of objects: one that passes is enough
    ["Checks.Status == critical", true],
    ["Checks.Status == passing", true],
    ["Checks.Status == warning", false],
    ["Checks.Status != passing", true],
    ["not Checks.Status == passing", false],
    ["Checks is empty", false],
    ["v1 in Checks.ServiceTags", true],
    ["Checks.ServiceTags is empty", true],
    ["Service.Proxy.Upstreams.LocalBindPort == 5432", true],
    ["Service.Proxy.Upstreams is not empty", true],
    ["Service.Proxy.Expose.Paths is empty", true],
    ["Service.Proxy.Expose.Paths.Path == x", false],
    // regular expressions are searched for
    ["Service.Service matches `^w`", true],
    ["Service.Service matches eb", true],
    ["Service.Service matches `^eb`", false],
    ["Service.Service not matches `^eb`", true],
    ["Service.Service matches `(?i)WEB`", true],
    ["Service.Kind matches `^$`", true],
    // joined
    ["Node.Meta.rack == r1 and v1 in Service.Tags", true],
    ["Node.Meta.rack == r2 or Service.Port == 8080", true],
    ["not (Node.Meta.rack == r1 and Service.Port == 8080)", false],
  ];
  for (const [text, expected] of table)
    assert.equal(compileFilter(text, checkServiceNodeFields)(instance), expected, text);
});

test("compileFilter: absent fields are zero values", () => {
  const fields = fieldSet({
    S: string,
    B: bool,
    I: int,
    L: list(string),
    M: map(string),
    O: object(fieldSet({ S: string })),
  });
  for (const record of [{}, { S: null, B: null, I: null, L: null, M: null, O: null }]) {
    for (const text of [
      'S == ""',
      "B == false",
      "I == 0",
      "L is empty",
      "M is empty",
      'O.S == ""',
      'S matches "^$"',
      "x not in S",
      "x not in L",
    ]) {
      assert.equal(compileFilter(text, fields)(record), true, text);
    }
  }
});

test("compileFilter: integers are exact to 64 bits", () => {
  const filter = compileFilter("Hash == 18446744073709551615", serviceDefaultsFields);
  assert.equal(filter({ Hash: 18_446_744_073_709_551_615n }), true);
  assert.equal(filter({ Hash: 18_446_744_073_709_551_614n }), false);
  assert.equal(
    compileFilter("Hash == 9007199254740991", serviceDefaultsFields)({ Hash: Number.MAX_SAFE_INTEGER }),
    true,
  );
});

const prefix = "Failed to create boolean expression evaluator: ";

test("compileFilter: errors in go-bexpr's words, which Consul answers with 500", () => {
  const table: readonly [string, string][] = [
    ["Nope == 1", 'Selector "Nope" is not valid'],
    ["Node.Nope.x == 1", 'Selector "Node.Nope" is not valid'],
    ["Service.Meta.a.b == 1", 'Selector "Service.Meta.a.b" is not valid'],
    ["Service.Tags.x == 1", 'Selector "Service.Tags.x" is not valid'],
    ["Service.ModifyIndex == 1", 'Selector "Service.ModifyIndex" is not valid'],
    ["Service.constructor == 1", 'Selector "Service.constructor" is not valid'],
    ["Service.Ports is empty", 'Selector "Service.Ports" is not valid'],
    ["Node is empty", 'Invalid match operator "Is Empty" for selector "Node"'],
    ["x in Node", 'Invalid match operator "In" for selector "Node"'],
    ["Service.Service is empty", 'Invalid match operator "Is Empty" for selector "Service.Service"'],
    ["Service.Port matches 8", 'Invalid match operator "Matches" for selector "Service.Port"'],
    ["8 in Service.Port", 'Invalid match operator "In" for selector "Service.Port"'],
    ["Service.Tags == x", 'Invalid match operator "Equal" for selector "Service.Tags"'],
    ["Service.Tags matches x", 'Invalid match operator "Matches" for selector "Service.Tags"'],
    ["Service.Meta == x", 'Invalid match operator "Equal" for selector "Service.Meta"'],
    ["Checks contains x", 'Invalid match operator "In" for selector "Checks"'],
    [
      "Service.Port == abc",
      'Failed to coerce value "abc" for selector "Service.Port": strconv.ParseInt: parsing "abc": invalid syntax',
    ],
    [
      "Service.Port == 1.5",
      'Failed to coerce value "1.5" for selector "Service.Port": strconv.ParseInt: parsing "1.5": invalid syntax',
    ],
    [
      "Service.Port == 9223372036854775808",
      'Failed to coerce value "9223372036854775808" for selector "Service.Port": strconv.ParseInt: parsing "9223372036854775808": value out of range',
    ],
    [
      "Service.EnableTagOverride == yes",
      'Failed to coerce value "yes" for selector "Service.EnableTagOverride": strconv.ParseBool: parsing "yes": invalid syntax',
    ],
    ["Node.Node matches `(`", 'Failed to compile regular expression "(": error parsing regexp: missing closing ): `(`'],
    [
      "Node.Node matches `(?=a)`",
      'Failed to compile regular expression "(?=a)": error parsing regexp: invalid or unsupported Perl syntax: `(?=`',
    ],
    [
      `Node.Node matches \`${"a".repeat(1025)}\``,
      "Failed to compile regular expression: it is longer than 1024 characters",
    ],
    ["bad ===", '1:7 (6): no match found, expected: "-", "0", "\\"", "`", [ \\t\\r\\n], [1-9] or [a-zA-Z]'],
  ];
  for (const [text, message] of table) {
    assert.throws(
      () => compileFilter(text, checkServiceNodeFields),
      (error) => error instanceof OperationalError && error.code === "refused" && error.message === prefix + message,
      text,
    );
  }
});

test("compileFilter: literals of unsigned and narrow integers", () => {
  const fields = fieldSet({ Port: uint(16), Small: uint(8) });
  assert.equal(compileFilter("Port == 65535", fields)({ Port: 65_535 }), true);
  assert.equal(compileFilter('Port == "0b11"', fields)({ Port: 3 }), true);
  assert.equal(compileFilter('Port == "017"', fields)({ Port: 15 }), true);
  for (const [literal, why] of [
    ["65536", "value out of range"],
    ["-1", "invalid syntax"],
    ['"08"', "invalid syntax"],
    ['"1__0"', "invalid syntax"],
    ['""', "invalid syntax"],
  ] as const) {
    assert.throws(
      () => compileFilter(`Port == ${literal}`, fields),
      { message: new RegExp(`ParseUint: parsing .*: ${why}$`) },
      literal,
    );
  }
  assert.throws(() => compileFilter("Small == 256", fields), /value out of range/);
  assert.throws(() => compileFilter(`Small == "${"0".repeat(100_000)}"`, fields), /invalid syntax/);
});

test("compileFilter: no pattern makes a search take more than linear work", () => {
  // Each of these against such texts keeps a backtracking engine busy past the end of the world: to end is to pass.
  const text = `${"a".repeat(3000)}!`;
  for (const pattern of [
    "(a+)+$",
    "(a|aa)+$",
    "([a-z]+)*[0-9]",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(x+x+)+y",
    "(a?){50}a{50}b",
    "(.*a){20}$b",
    "(.*)(.*)(.*)(.*)(.*)(.*)0",
  ]) {
    assert.equal(compileFilter(`Output matches \`${pattern}\``, checkFields)({ Output: text }), false, pattern);
  }
  assert.throws(() => compileFilter("Output matches `((a{100}){100}){100}`", checkFields), /invalid repeat count/);
});

test("fields: each endpoint has the selectors its documentation lists", () => {
  const table = [
    [
      nodeFields,
      [
        "Address == a",
        "Datacenter == a",
        "ID == a",
        "Meta is empty",
        "Meta.k == a",
        "Node == a",
        "PeerName == a",
        "TaggedAddresses.k == a",
      ],
    ],
    [
      serviceNodeFields,
      [
        "Node == a",
        "NodeMeta.k == a",
        "ServiceAddress == a",
        "ServiceConnect.Native == true",
        "ServiceEnableTagOverride == true",
        "ServiceID == a",
        "ServiceKind == a",
        "ServiceMeta.k == a",
        "ServiceName matches a",
        "ServicePort == 1",
        "ServiceProxy.DestinationServiceID == a",
        "ServiceProxy.Upstreams.DestinationName == a",
        "ServiceTaggedAddresses.k.Address == a",
        "ServiceTaggedAddresses.k.Port == 1",
        "a in ServiceTags",
        "ServiceWeights.Passing == 1",
        "ServiceWeights.Warning == 1",
      ],
    ],
    [
      nodeServiceFields,
      [
        "Address == a",
        "Connect.Native == true",
        "EnableTagOverride == true",
        "ID == a",
        "Kind == a",
        "Meta.k == a",
        "Port == 1",
        "Proxy.Expose.Paths.ListenerPort == 1",
        "Proxy.MeshGateway.Mode == a",
        "Proxy.TransparentProxy.OutboundListenerPort == 1",
        "Service == a",
        "SocketPath == a",
        "TaggedAddresses.k.Address == a",
        "a in Tags",
        "Weights.Passing == 1",
      ],
    ],
    [
      checkFields,
      [
        "CheckID == a",
        "Name == a",
        "Node == a",
        "Notes == a",
        "Output == a",
        "ServiceID == a",
        "ServiceName == a",
        "a in ServiceTags",
        "Status == a",
        "Type == a",
        "Interval == a",
        "ExposedPort == 1",
      ],
    ],
    [checkServiceNodeFields, ["Checks.Status == a", "Node.Meta.k == a", "Service.Weights.Warning == 1"]],
    [nodeInfoFields, ["Node == a", "Services.Service == a", "a in Services.Tags", "Checks.Status == a"]],
    [memberFields, ["Name == a", "Addr == a", "Port == 1", "Tags.role == a", "Status == 1", "ProtocolCur == 1"]],
    [
      serviceDefaultsFields,
      [
        "Kind == a",
        "Name == a",
        "Protocol == a",
        "MeshGateway.Mode == a",
        "UpstreamConfig.Defaults.Limits.MaxConnections == 1",
        "UpstreamConfig.Overrides.Name == a",
        "a in Destination.Addresses",
        "Meta.k == a",
        "RateLimits.InstanceLevel.Routes.PathExact == a",
      ],
    ],
  ] as const;
  for (const [fields, texts] of table) {
    for (const text of texts) assert.equal(compileFilter(text, fields)({}), text === "Meta is empty", text);
    for (const text of [
      "CreateIndex == 1",
      "ModifyIndex == 1",
      "Locality.Zone == a",
      "Definition is empty",
      "Config is empty",
    ]) {
      assert.throws(() => compileFilter(text, fields), /is not valid/, text);
    }
  }
});
