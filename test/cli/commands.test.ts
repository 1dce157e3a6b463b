// Every command against a fake agent: words → request → output and exit code.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "../client/fake-agent.ts";
import type { FakeIo } from "./fake-io.ts";
import { run } from "./fake-io.ts";

interface Row {
  /** Words; a list when one of them has a space. */
  line: string | string[];
  answer?: Record<string, Answer | unknown[] | string>;
  prepare?(io: FakeIo): void;
  code?: number;
  out?: string;
  /** A pattern, or the whole text. */
  err?: string | RegExp;
  /** Requests, as "PUT /v1/kv/a body". */
  asked?: string[];
}

const entry = { LockIndex: 1, Key: "app/name", Flags: 42, Value: "aGVsbG8=", CreateIndex: 30, ModifyIndex: 31 };
const self = {
  Config: { NodeName: "n1", Datacenter: "dc1", Version: "1.2.3" },
  Stats: { raft: { state: "Leader", term: "2" }, agent: { services: "1" } },
};
const member = (Name: string, Status: number, Tags: Record<string, string>): object => ({
  Name,
  Addr: Name === "v6" ? "::1" : "127.0.0.1",
  Port: 8301,
  Tags,
  Status,
});
const pool = [
  member("c1", 4, { role: "node", dc: "dc1", vsn: "2", build: "1.2.3:abc" }),
  member("v6", 1, { role: "consul", dc: "dc1", vsn: "2", build: "1.2.3:abc" }),
  member("s1", 1, { role: "consul", dc: "dc1", vsn: "2", build: "1.2.3:abc" }),
];
const nodeRow = {
  Node: "n1",
  ID: "8a1c9f3e-1",
  Address: "127.0.0.1",
  Datacenter: "dc1",
  TaggedAddresses: { lan: "127.0.0.1" },
  Meta: { b: "2", a: "1" },
};
const autopilot = {
  CleanupDeadServers: true,
  LastContactThreshold: "200ms",
  MaxTrailingLogs: 250,
  MinQuorum: 0,
  ServerStabilizationTime: "10s",
  CreateIndex: 5,
  ModifyIndex: 6,
};
const seen = (Datacenter: string, primary: string | null, PrimaryEpoch = 0): object => ({
  Datacenter,
  Reachable: primary !== null,
  Error: primary === null ? "no answer" : "",
  PrimaryDatacenter: primary ?? "",
  PrimaryEpoch,
  ConfiguredPrimary: "dc1",
});
const movePlan = (more: object = {}): object => ({
  From: "dc1",
  To: "dc2",
  PrimaryEpoch: 0,
  Behind: 0,
  Datacenters: [seen("dc1", "dc1")],
  Refusals: [],
  Impossible: "",
  ...more,
});
const replicationLink = (more: object): object => ({
  ReplicationType: "kv",
  SourceDatacenter: "dc1",
  State: "failing",
  ReplicatedIndex: 0,
  LastErrorMessage: "no answer",
  ...more,
});
const notFound = { status: 404 };
const refused = { status: 403, body: "Permission denied" };
const file = (name: string, content: string) => (io: FakeIo) =>
  void io.files.set(name, new TextEncoder().encode(content));
const input = (content: string) => (io: FakeIo) => {
  io.input = new TextEncoder().encode(content);
};

const rows: Record<string, Row> = {
  "kv get": { line: "kv get app/name", answer: { "GET /v1/kv/app/name": [entry] }, out: "hello\n" },
  "kv get strips a slash": { line: "kv get /app/name", answer: { "GET /v1/kv/app/name": [entry] }, out: "hello\n" },
  "kv get of nothing": {
    line: "kv get app/none",
    answer: { "GET /v1/kv/app/none": notFound },
    code: 1,
    err: "Error! No key exists at: app/none\n",
  },
  "kv get without key": { line: "kv get", code: 1, err: /Missing KEY argument/ },
  "kv get with two keys": { line: "kv get a b", code: 1, err: /Too many arguments \(expected 1, got 2\)/ },
  "kv get -detailed": {
    line: "kv get -detailed app/name",
    answer: { "GET /v1/kv/app/name": [entry] },
    out: `CreateIndex      30
Flags            42
Key              app/name
LockIndex        1
ModifyIndex      31
Session          -
Value            hello
`,
  },
  "kv get with flags above 2^53": {
    line: "kv get -detailed k",
    answer: {
      "GET /v1/kv/k":
        '[{"Key":"k","Flags":3304740253564472344,"Value":null,"Session":"s1","LockIndex":1,"CreateIndex":2,"ModifyIndex":3}]',
    },
    out: `CreateIndex      2
Flags            3304740253564472344
Key              k
LockIndex        1
ModifyIndex      3
Session          s1
Value
`,
  },
  "kv get -recurse": {
    line: "kv get -recurse app",
    answer: { "GET /v1/kv/app?recurse=": [entry, { ...entry, Key: "app/o", Value: null }] },
    out: "app/name:hello\napp/o:\n",
  },
  "kv get -recurse -base64": {
    line: "kv get -recurse -base64 app",
    answer: { "GET /v1/kv/app?recurse=": [entry] },
    out: "app/name:aGVsbG8=\n",
  },
  "kv get -keys": {
    line: ["kv", "get", "-keys", ""],
    answer: { "GET /v1/kv/?keys=&separator=%2F": ["app/"] },
    out: "app/\n",
  },
  "kv get -keys -recurse": {
    line: "kv get -keys -recurse app/",
    answer: { "GET /v1/kv/app/?keys=&separator=": ["app/name"] },
    out: "app/name\n",
  },
  "kv get -stale -datacenter": {
    line: "kv get -stale -datacenter=dc2 app/name",
    answer: { "GET /v1/kv/app/name?dc=dc2&stale=": [entry] },
    out: "hello\n",
  },
  "kv get with a refusal": {
    line: "kv get a",
    answer: { "GET /v1/kv/a": refused },
    code: 1,
    err: "Error querying Consul agent: Unexpected response code: 403 (Permission denied)\n",
  },
  "kv put": {
    line: "kv put app/name hello",
    answer: { "PUT /v1/kv/app/name": "true" },
    out: "Success! Data written to: app/name\n",
    asked: ["PUT /v1/kv/app/name hello"],
  },
  "kv put of nothing": {
    line: "kv put app/name",
    answer: { "PUT /v1/kv/app/name": "true" },
    out: "Success! Data written to: app/name\n",
    asked: ["PUT /v1/kv/app/name"],
  },
  "kv put from standard input": {
    line: "kv put a -",
    prepare: input("from stdin"),
    answer: { "PUT /v1/kv/a": "true" },
    asked: ["PUT /v1/kv/a from stdin"],
  },
  "kv put from a file": {
    line: "kv put a @v.txt",
    prepare: file("v.txt", "line\n"),
    answer: { "PUT /v1/kv/a": "true" },
    asked: ["PUT /v1/kv/a line\n"],
  },
  "kv put from a file that is not there": {
    line: "kv put a @v.txt",
    code: 1,
    err: /Failed to read file: open v.txt: no such file/,
    asked: [],
  },
  "kv put -base64 -flags": {
    line: "kv put -base64 -flags=18446744073709551615 a aGk=",
    answer: { "PUT /v1/kv/a": "true" },
    asked: ["PUT /v1/kv/a?flags=18446744073709551615 hi"],
  },
  "kv put with bad base64": { line: "kv put -base64 a !", code: 1, err: /Cannot base 64 decode data/, asked: [] },
  "kv put -cas that is refused": {
    line: "kv put -cas -modify-index=7 a b",
    answer: { "PUT /v1/kv/a?cas=7": "false" },
    code: 1,
    err: "Error! Did not write to a: CAS failed\n",
  },
  "kv put -cas of a key that is there": {
    line: "kv put -cas a b",
    answer: { "PUT /v1/kv/a?cas=0": "false" },
    code: 1,
    err: /CAS performed with index=0 and key already exists/,
  },
  "kv put -acquire": {
    line: "kv put -acquire -session=s1 a b",
    answer: { "PUT /v1/kv/a?acquire=s1": "true" },
    out: "Success! Lock acquired on: a\n",
  },
  "kv put -acquire that is refused": {
    line: "kv put -acquire -session=s1 a b",
    answer: { "PUT /v1/kv/a?acquire=s1": "false" },
    code: 1,
    err: "Error! Did not acquire lock\n",
  },
  "kv put -release": {
    line: "kv put -release -session=s1 a",
    answer: { "PUT /v1/kv/a?release=s1": "true" },
    out: "Success! Lock released on: a\n",
  },
  "kv put -acquire without session": { line: "kv put -acquire a b", code: 1, err: /Missing -session/, asked: [] },
  "kv put with a slash first": { line: "kv put /a b", code: 1, err: /must not begin with a '\/'/, asked: [] },
  "kv put without key": { line: "kv put", code: 1, err: /Missing KEY/ },
  "kv delete": {
    line: "kv delete a",
    answer: { "DELETE /v1/kv/a": "true" },
    out: "Success! Deleted key: a\n",
  },
  "kv delete -recurse": {
    line: "kv delete -recurse a/",
    answer: { "DELETE /v1/kv/a/?recurse=": "true" },
    out: "Success! Deleted keys with prefix: a/\n",
  },
  "kv delete -cas": {
    line: "kv delete -cas -modify-index=3 a",
    answer: { "DELETE /v1/kv/a?cas=3": "false" },
    code: 1,
    err: "Error! Did not delete key a: CAS failed\n",
  },
  "kv delete -cas without index": { line: "kv delete -cas a", code: 1, err: /Must specify -modify-index/, asked: [] },
  "kv delete -modify-index without -cas": {
    line: "kv delete -modify-index=3 a",
    code: 1,
    err: /without -cas/,
    asked: [],
  },
  "kv delete -recurse without prefix": { line: "kv delete -recurse", code: 1, err: /Missing KEY/, asked: [] },
  "kv export": {
    line: "kv export app",
    answer: { "GET /v1/kv/app?recurse=": [entry] },
    out: '[\n\t{\n\t\t"key": "app/name",\n\t\t"flags": 42,\n\t\t"value": "aGVsbG8="\n\t}\n]\n',
  },
  "kv export of nothing": { line: "kv export x", answer: { "GET /v1/kv/x?recurse=": notFound }, out: "[]\n" },
  "kv import": {
    line: "kv import -prefix=/under/ -",
    prepare: input('[{"key":"a/","flags":18446744073709551615,"value":"aGk="},{"key":"b","value":""}]'),
    answer: { "PUT /v1/kv/under/a/": "true", "PUT /v1/kv/under/b": "true" },
    out: "Imported: under/a/\nImported: under/b\n",
    asked: ["PUT /v1/kv/under/a/?flags=18446744073709551615 hi", "PUT /v1/kv/under/b?flags=0"],
  },
  "kv import of no JSON": { line: "kv import {", code: 1, err: /Cannot unmarshal data/, asked: [] },
  "kv import of bad base64": {
    line: 'kv import [{"key":"a","value":"x"}]',
    code: 1,
    err: /Error base 64 decoding value for key a/,
    asked: [],
  },

  members: {
    line: "members",
    answer: { "GET /v1/agent/members": pool },
    out: `Node  Address         Status  Type    Build  Protocol  DC   Partition  Segment
s1    127.0.0.1:8301  alive   server  1.2.3  2         dc1  default    <all>
v6    [::1]:8301      alive   server  1.2.3  2         dc1  default    <all>
c1    127.0.0.1:8301  failed  client  1.2.3  2         dc1  default    <default>
`,
  },
  "members -wan -status": {
    line: "members -wan -status=^fail",
    answer: { "GET /v1/agent/members?wan=": pool },
    out: `Node  Address         Status  Type    Build  Protocol  DC   Partition  Segment
c1    127.0.0.1:8301  failed  client  1.2.3  2         dc1  default    <default>
`,
  },
  "members that fit nothing": {
    line: "members -status=left",
    answer: { "GET /v1/agent/members": pool },
    code: 2,
    out: "",
    err: "",
  },
  "members with a bad pattern": {
    line: "members -status=(",
    code: 1,
    err: /Failed to compile status regexp/,
    asked: [],
  },
  "members -detailed": {
    line: "members -detailed -status=failed",
    answer: { "GET /v1/agent/members": pool },
    out: `Node  Address         Status  Tags
c1    127.0.0.1:8301  failed  build=1.2.3:abc,dc=dc1,role=node,vsn=2
`,
  },
  join: {
    line: "join -wan 10.0.0.1 10.0.0.2",
    answer: {
      "PUT /v1/agent/join/10.0.0.1?wan=1": {},
      "PUT /v1/agent/join/10.0.0.2?wan=1": { status: 500, body: "no" },
    },
    out: "Successfully joined cluster by contacting 1 nodes.\n",
    err: /Error joining address '10.0.0.2': Unexpected response code: 500 \(no\)/,
  },
  "join that fails": {
    line: "join 10.0.0.2",
    answer: { "PUT /v1/agent/join/10.0.0.2": { status: 500, body: "no" } },
    code: 1,
    err: /Failed to join any nodes/,
  },
  "join without address": { line: "join", code: 1, err: /At least one address/, asked: [] },
  "force-leave": {
    line: "force-leave -prune n1",
    answer: { "PUT /v1/agent/force-leave/n1?prune=1": {} },
    out: "",
  },
  "force-leave of an unknown node": {
    line: "force-leave x",
    answer: { "PUT /v1/agent/force-leave/x": { status: 500, body: "agent: No node found with name 'x'" } },
    code: 1,
    err: /Error force leaving: .*No node found/,
  },
  "force-leave without node": { line: "force-leave", code: 1, err: /single node name/, asked: [] },
  leave: { line: "leave", answer: { "PUT /v1/agent/leave": {} }, out: "Graceful leave complete\n" },
  reload: { line: "reload", answer: { "PUT /v1/agent/reload": {} }, out: "Configuration reload triggered\n" },
  "reload that fails": {
    line: "reload",
    answer: { "PUT /v1/agent/reload": { status: 500, body: "bad file" } },
    code: 1,
    err: /Error reloading: .*bad file/,
  },
  info: {
    line: "info",
    answer: { "GET /v1/agent/self": { body: self } },
    out: "agent:\n\tservices = 1\nraft:\n\tstate = Leader\n\tterm = 2\n",
  },
  keygen: { line: "keygen", out: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n", asked: [] },
  version: {
    line: "version",
    out: "Proconsul v1.2.3-dev\nRevision abcdef0\nBuild Date 2026-01-02T03:04:05Z\nProtocol 2 spoken by default, understands 2 to 3\n",
  },
  "version -format=json": {
    line: "version -format=json",
    out: `{
    "Version": "1.2.3",
    "Revision": "abcdef0",
    "Prerelease": "dev",
    "BuildDate": "2026-01-02T03:04:05Z",
    "Protocol": {
        "Default": 2,
        "Min": 2,
        "Max": 3
    }
}
`,
  },
  event: {
    line: "event -name=deploy -node=^n 1609030",
    answer: { "PUT /v1/event/fire/deploy?node=%5En": { body: { ID: "e1", Payload: null } } },
    out: "Event ID: e1\n",
    asked: ["PUT /v1/event/fire/deploy?node=%5En 1609030"],
  },
  "event without name": { line: "event x", code: 1, err: /Event name must be specified/, asked: [] },
  "event with a bad pattern": {
    line: "event -name=d -node=( x",
    code: 1,
    err: /Failed to compile node filter/,
    asked: [],
  },
  "event with tag and no service": { line: "event -name=d -tag=t", code: 1, err: /without service filter/, asked: [] },
  monitor: {
    line: "monitor -log-level=debug -log-json",
    answer: { "GET /v1/agent/monitor?loglevel=debug&logjson=": "line 1\nline 2\n" },
    out: "line 1\nline 2\n",
    err: /ended the monitor/,
  },
  "monitor of a level that is none": {
    line: "monitor -log-level=loud",
    answer: { "GET /v1/agent/monitor?loglevel=loud": { status: 400, body: "Unknown log level: loud" } },
    code: 1,
    err: /Error starting monitor: .*Unknown log level/,
  },

  "catalog datacenters": {
    line: "catalog datacenters",
    answer: { "GET /v1/catalog/datacenters": ["dc1", "dc2"] },
    out: "dc1\ndc2\n",
  },
  "catalog nodes": {
    line: "catalog nodes -node-meta=k=v -near=_agent",
    answer: { "GET /v1/catalog/nodes?near=_agent&node-meta=k%3Av": [nodeRow] },
    out: "Node  ID        Address    DC\nn1    8a1c9f3e  127.0.0.1  dc1\n",
  },
  "catalog nodes -detailed -service": {
    line: "catalog nodes -detailed -service=web",
    answer: {
      "GET /v1/catalog/service/web": [
        { ...nodeRow, NodeMeta: nodeRow.Meta },
        { ...nodeRow, NodeMeta: {} },
      ],
    },
    out: `Node  ID          Address    DC   TaggedAddresses  Meta
n1    8a1c9f3e-1  127.0.0.1  dc1  lan=127.0.0.1    a=1, b=2
`,
  },
  "catalog nodes that fit nothing": {
    line: "catalog nodes -service=none",
    answer: { "GET /v1/catalog/service/none": [] },
    err: "No nodes match the given query - try expanding your search.\n",
  },
  "catalog services": {
    line: "catalog services",
    answer: { "GET /v1/catalog/services": { body: { web: ["b", "a"], consul: [] } } },
    out: "consul\nweb\n",
  },
  "catalog services -tags": {
    line: "catalog services -tags",
    answer: { "GET /v1/catalog/services": { body: { web: ["b", "a"], consul: [] } } },
    out: "consul\nweb         a,b\n",
  },
  "catalog services -node": {
    line: "catalog services -node=n1",
    answer: {
      "GET /v1/catalog/node/n1": { body: { Node: {}, Services: { "web-1": { Service: "web", Tags: ["a"] } } } },
    },
    out: "web\n",
  },
  "catalog services of no node": {
    line: "catalog services -node=x",
    answer: { "GET /v1/catalog/node/x": "null" },
    err: "No services match the given query - try expanding your search.\n",
  },

  "services register from JSON": {
    line: "services register web.json",
    prepare: file("web.json", '{"service":{"name":"web","id":"web-1","port":80,"check":{"ttl":"30s"}}}'),
    answer: { "PUT /v1/agent/service/register": {} },
    out: "Registered service: web\n",
    asked: ['PUT /v1/agent/service/register {"name":"web","id":"web-1","port":80,"check":{"ttl":"30s"}}'],
  },
  "services register of several": {
    line: "services register two.json",
    prepare: file("two.json", '{"services":[{"name":"db","id":"db-1"},{"name":"db","id":"db-2"}]}'),
    answer: { "PUT /v1/agent/service/register": {} },
    out: "Registered service: db\nRegistered service: db\n",
  },
  "services register from HCL": {
    line: "services register web.hcl",
    prepare: file("web.hcl", 'service {\n  name = "hcl"\n  checks { ttl = "3s" }\n}\n'),
    answer: { "PUT /v1/agent/service/register": {} },
    asked: ['PUT /v1/agent/service/register {"name":"hcl","checks":[{"ttl":"3s"}]}'],
  },
  "services register from flags": {
    line: "services register -name=flag -port=9 -tag=a -tag=b -meta=k=v -tagged-address=wan=[::1]:80",
    answer: { "PUT /v1/agent/service/register": {} },
    out: "Registered service: flag\n",
    asked: [
      'PUT /v1/agent/service/register {"Name":"flag","Port":9,"Tags":["a","b"],"Meta":{"k":"v"},"TaggedAddresses":{"wan":{"Address":"::1","Port":80}}}',
    ],
  },
  "services register of a broken file": {
    line: "services register b.json",
    prepare: file("b.json", "{"),
    code: 1,
    err: /failed to parse b.json/,
    asked: [],
  },
  "services register of a bad definition": {
    line: "services register b.json",
    prepare: file("b.json", '{"service":{"port":1}}'),
    code: 1,
    err: /failed to parse b.json: Missing service name/,
    asked: [],
  },
  "services register of a file without services": {
    line: "services register b.json",
    prepare: file("b.json", "{}"),
    code: 1,
    err: /no service definition/,
    asked: [],
  },
  "services register of nothing": { line: "services register", code: 1, err: /at least one argument/, asked: [] },
  "services register of no file": { line: "services register x.json", code: 1, err: /no such file/, asked: [] },
  "services deregister": {
    line: "services deregister -id=a/b",
    answer: { "PUT /v1/agent/service/deregister/a%2Fb": {} },
    out: "Deregistered service: a/b\n",
  },
  "services deregister by file": {
    line: "services deregister web.json",
    prepare: file("web.json", '{"service":{"name":"web"}}'),
    answer: { "PUT /v1/agent/service/deregister/web": {} },
    out: "Deregistered service: web\n",
  },
  "services deregister of an unknown id": {
    line: "services deregister -id=x",
    answer: { "PUT /v1/agent/service/deregister/x": { status: 404, body: "Unknown service" } },
    code: 1,
    err: /Error deregistering service "x": .*Unknown service/,
  },
  "services deregister of nothing": {
    line: "services deregister",
    code: 1,
    err: /at least one argument or -id/,
    asked: [],
  },

  "maint -enable": {
    line: ["maint", "-enable", "-reason", "new disk"],
    answer: { "PUT /v1/agent/maintenance?enable=true&reason=new+disk": {} },
    out: "Node maintenance is now enabled\n",
  },
  "maint -disable -service": {
    line: "maint -disable -service=web-1",
    answer: { "PUT /v1/agent/service/maintenance/web-1?enable=false": {} },
    out: 'Service maintenance is now disabled for "web-1"\n',
  },
  maint: {
    line: "maint",
    answer: {
      "GET /v1/agent/self": { body: self },
      "GET /v1/agent/checks": {
        body: {
          "_service_maintenance:web-1": { Notes: "moving" },
          _node_maintenance: { Notes: "testing" },
          mem: { Notes: "x" },
        },
      },
    },
    out: "Node:\n  Name:   n1\n  Reason: testing\n\nService:\n  ID:     web-1\n  Reason: moving\n\n",
  },
  "maint with both": { line: "maint -enable -disable", code: 1, err: /Only one of/, asked: [] },
  "maint -reason alone": { line: "maint -reason=x", code: 1, err: /Reason may only/, asked: [] },
  "maint -service alone": { line: "maint -service=x", code: 1, err: /Service requires/, asked: [] },
  "maint of an unknown service": {
    line: "maint -enable -service=x",
    answer: { "PUT /v1/agent/service/maintenance/x?enable=true": { status: 404, body: "unknown" } },
    code: 1,
    err: /Error enabling service maintenance/,
  },

  "operator primary status": {
    line: "operator primary status",
    answer: {
      "GET /v1/operator/primary": {
        body: { PrimaryDatacenter: "dc2", PrimaryEpoch: 1, Datacenters: [seen("dc1", "dc2", 1), seen("dc3", null)] },
      },
    },
    out: `dc2 is the primary, since move 1.

Datacenter  Reachable  Primary  Move  In its files
dc1         true       dc2      1     dc1
dc3         false      -        -     -

dc3: no answer
`,
  },
  "operator primary move -dry-run": {
    line: "operator primary move -dry-run dc2",
    answer: { "GET /v1/operator/primary?to=dc2": { body: movePlan() } },
    out: `The primary moves from dc1 to dc2.

Datacenter  Reachable  Primary  Move  In its files
dc1         true       dc1      0     dc1

dc2 has all configuration entries of dc1.

This was a dry run: nothing was changed.
`,
  },
  "operator primary move": {
    line: "operator primary move dc2",
    answer: {
      "GET /v1/operator/primary?to=dc2": { body: movePlan() },
      "PUT /v1/operator/primary?to=dc2": { body: { ...movePlan(), PrimaryEpoch: 1, TakenOver: true } },
    },
    out: `The primary moves from dc1 to dc2.

Datacenter  Reachable  Primary  Move  In its files
dc1         true       dc1      0     dc1

dc2 has all configuration entries of dc1.

Done: dc2 is the primary (move 1). All datacenters hear of it by themselves;
primary_datacenter in their files no longer counts: change it when it suits.
`,
  },
  "operator primary move against which something speaks": {
    line: "operator primary move dc2",
    answer: { "GET /v1/operator/primary?to=dc2": { body: movePlan({ Behind: 2, Refusals: ["dc2 is behind"] }) } },
    code: 1,
    err: "The primary is not moved for these reasons. -force moves it all the same.\n",
    asked: ["GET /v1/operator/primary?to=dc2"],
  },
  "operator primary move by force, not taken over yet": {
    line: "operator primary move -force dc2",
    answer: {
      "GET /v1/operator/primary?to=dc2": { body: movePlan({ Behind: 2, Refusals: ["dc2 is behind"] }) },
      "PUT /v1/operator/primary?to=dc2&force=": { body: { ...movePlan(), PrimaryEpoch: 1, TakenOver: false } },
    },
    code: 1,
    err: /dc1 has stepped down \(move 1\), but dc2 has not taken over yet/,
  },
  "operator primary move that cannot be": {
    line: "operator primary move -force dc2",
    answer: { "GET /v1/operator/primary?to=dc2": { body: movePlan({ Impossible: "dc2 cannot be reached" }) } },
    code: 1,
    err: "The primary cannot be moved: dc2 cannot be reached\n",
    asked: ["GET /v1/operator/primary?to=dc2"],
  },
  "operator replication": {
    line: "operator replication",
    answer: {
      "GET /v1/operator/replication": {
        body: {
          Datacenter: "dc2",
          PrimaryDatacenter: "dc1",
          Links: [
            replicationLink({ ReplicationType: "config-entries", State: "following", LagMs: 0, ReplicatedIndex: 7 }),
            replicationLink({ Prefix: "a/", ToPrefix: "b/", Mode: "one-way", LagMs: 12_345, Conflicts: 0 }),
            replicationLink({ Prefix: "c/", ToPrefix: "c/", Mode: "two-way", LagMs: null, Conflicts: 3 }),
          ],
        },
      },
    },
    out: `Datacenter dc2; the primary is dc1.

Type            From  Prefix    Mode     State      Lag    Index  Conflicts
config-entries  dc1   -         -        following  0.0s   7      -
kv              dc1   a/ to b/  one-way  failing    12.3s  0      0
kv              dc1   c/        two-way  failing    -      0      3

dc1: no answer
`,
  },

  "operator raft list-peers": {
    line: "operator raft list-peers -stale",
    answer: {
      "GET /v1/operator/raft/configuration?stale=": {
        body: {
          Servers: [
            {
              ID: "i1",
              Node: "s1",
              Address: "10.0.0.1:8300",
              Leader: true,
              Voter: true,
              ProtocolVersion: "3",
              LastIndex: 100,
            },
            {
              ID: "i2",
              Node: "s2",
              Address: "10.0.0.2:8300",
              Leader: false,
              Voter: false,
              ProtocolVersion: "3",
              LastIndex: 97,
            },
          ],
        },
      },
    },
    out: `Node  ID  Address        State     Voter  RaftProtocol  Commit Index  Trails Leader By
s1    i1  10.0.0.1:8300  leader    true   3             100           -
s2    i2  10.0.0.2:8300  follower  false  3             97            3 commits
`,
  },
  "operator raft remove-peer": {
    line: "operator raft remove-peer -id=i1",
    answer: { "DELETE /v1/operator/raft/peer?id=i1": {} },
    out: 'Removed peer with id "i1"\n',
  },
  "operator raft remove-peer -address": {
    line: "operator raft remove-peer -address=10.0.0.1:8300",
    answer: { "DELETE /v1/operator/raft/peer?address=10.0.0.1%3A8300": {} },
    out: 'Removed peer with address "10.0.0.1:8300"\n',
  },
  "operator raft remove-peer of none": {
    line: "operator raft remove-peer",
    code: 1,
    err: /required for the peer to remove/,
    asked: [],
  },
  "operator raft remove-peer of both": {
    line: "operator raft remove-peer -id=a -address=b",
    code: 1,
    err: /cannot give both/,
    asked: [],
  },
  "operator raft transfer-leader": {
    line: "operator raft transfer-leader -id=i2",
    answer: { "POST /v1/operator/raft/transfer-leader?id=i2": { body: { Success: true } } },
    out: "Success\n",
  },
  "operator autopilot get-config": {
    line: "operator autopilot get-config",
    answer: { "GET /v1/operator/autopilot/configuration": { body: autopilot } },
    out: `CleanupDeadServers = true
LastContactThreshold = 200ms
MaxTrailingLogs = 250
MinQuorum = 0
ServerStabilizationTime = 10s
RedundancyZoneTag = ""
DisableUpgradeMigration = false
UpgradeVersionTag = ""
`,
  },
  "operator autopilot set-config": {
    line: "operator autopilot set-config -cleanup-dead-servers=false -last-contact-threshold=300ms",
    answer: {
      "GET /v1/operator/autopilot/configuration": { body: autopilot },
      "PUT /v1/operator/autopilot/configuration?cas=6": "true",
    },
    out: "Configuration updated!\n",
    asked: [
      "GET /v1/operator/autopilot/configuration",
      'PUT /v1/operator/autopilot/configuration?cas=6 {"CleanupDeadServers":false,"LastContactThreshold":"300ms","MaxTrailingLogs":250,"MinQuorum":0,"ServerStabilizationTime":"10s","CreateIndex":5,"ModifyIndex":6}',
    ],
  },
  "operator autopilot set-config that loses a race": {
    line: "operator autopilot set-config -min-quorum=3",
    answer: {
      "GET /v1/operator/autopilot/configuration": { body: autopilot },
      "PUT /v1/operator/autopilot/configuration?cas=6": "false",
    },
    code: 1,
    err: "Configuration could not be atomically updated, please try again\n",
  },
  "operator autopilot set-config with a bad duration": {
    line: "operator autopilot set-config -last-contact-threshold=x",
    code: 1,
    err: /invalid value "x" for flag -last-contact-threshold/,
    asked: [],
  },
  "operator autopilot state": {
    line: "operator autopilot state",
    answer: {
      "GET /v1/operator/autopilot/state": {
        body: {
          Healthy: true,
          FailureTolerance: 0,
          OptimisticFailureTolerance: 0,
          Leader: "i1",
          Voters: ["i1"],
          Servers: {
            i1: {
              Name: "s1",
              Address: "a:1",
              Version: "1",
              Status: "leader",
              NodeType: "voter",
              NodeStatus: "alive",
              Healthy: true,
              LastContact: "0s",
              LastTerm: 2,
              LastIndex: 9,
              Meta: { k: "v" },
            },
          },
        },
      },
    },
    out: `Healthy:                      true
Failure Tolerance:            0
Optimistic Failure Tolerance: 0
Leader:                       i1
Voters:
   i1
Servers:
   i1
      Name:              s1
      Address:           a:1
      Version:           1
      Status:            leader
      Node Type:         voter
      Node Status:       alive
      Healthy:           true
      Last Contact:      0s
      Last Term:         2
      Last Index:        9
      Meta
         "k": "v"
`,
  },

  "rtt of two nodes": {
    line: "rtt n1 n2",
    answer: {
      "GET /v1/coordinate/nodes": [
        { Node: "n1", Coord: { Vec: [0.003, 0], Height: 0.001, Adjustment: 0, Error: 1 } },
        { Node: "n2", Coord: { Vec: [0, 0.004], Height: 0.002, Adjustment: -0.0005, Error: 1 } },
      ],
    },
    out: "Estimated n1 <-> n2 rtt: 7.500 ms (using LAN coordinates)\n",
  },
  "rtt of one node": {
    line: "rtt n2",
    answer: { "GET /v1/agent/self": { body: self }, "GET /v1/coordinate/nodes": [] },
    code: 1,
    err: 'Could not find a coordinate for node "n2"\n',
  },
  "rtt -wan": {
    line: "rtt -wan s1.dc2",
    answer: {
      "GET /v1/agent/self": { body: self },
      "GET /v1/coordinate/datacenters": [
        { Datacenter: "dc1", Coordinates: [{ Node: "n1", Coord: { Vec: [0], Height: 0.001, Adjustment: 0 } }] },
        { Datacenter: "dc2", Coordinates: [{ Node: "s1", Coord: { Vec: [0.01], Height: 0.001, Adjustment: 0 } }] },
      ],
    },
    out: "Estimated s1.dc2 <-> n1.dc1 rtt: 12.000 ms (using WAN coordinates)\n",
  },
  "rtt of no node": { line: "rtt", code: 1, err: /One or two node names/, asked: [] },

  "config write from HCL": {
    line: "config write web.hcl",
    prepare: file("web.hcl", 'Kind = "service-defaults"\nName = "web"\nProtocol = "http"\nExpose { Checks = true }\n'),
    answer: { "PUT /v1/config": "true" },
    out: "Config entry written: service-defaults/web\n",
    asked: ['PUT /v1/config {"Kind":"service-defaults","Name":"web","Protocol":"http","Expose":{"Checks":true}}'],
  },
  "config write -cas that is refused": {
    line: "config write -cas -modify-index=4 -",
    prepare: input('{"kind":"proxy-defaults","name":"global"}'),
    answer: { "PUT /v1/config?cas=4": "false" },
    code: 1,
    err: "Error writing config entry proxy-defaults/global: CAS failed\n",
  },
  "config write without kind": { line: "config write -", prepare: input("{}"), code: 1, err: /kind\/Kind/, asked: [] },
  "config write of no HCL": {
    line: "config write -",
    prepare: input("= ="),
    code: 1,
    err: /Failed to decode config entry/,
    asked: [],
  },
  "config write without file": { line: "config write", code: 1, err: /Missing FILE/, asked: [] },
  "config read": {
    line: "config read -kind=service-defaults -name=web",
    answer: { "GET /v1/config/service-defaults/web": { body: { Kind: "service-defaults", Name: "web" } } },
    out: '{\n    "Kind": "service-defaults",\n    "Name": "web"\n}\n',
  },
  "config read of nothing": {
    line: "config read -kind=service-defaults -name=x",
    answer: { "GET /v1/config/service-defaults/x": notFound },
    code: 1,
    err: 'Error reading config entry service-defaults/x: Config entry not found for "service-defaults" / "x"\n',
  },
  "config read without kind": { line: "config read", code: 1, err: /-kind/, asked: [] },
  "config list": {
    line: "config list -kind=service-defaults",
    answer: { "GET /v1/config/service-defaults": [{ Name: "a" }, { Name: "b" }] },
    out: "a\nb\n",
  },
  "config list of a bad kind": {
    line: "config list -kind=x",
    answer: { "GET /v1/config/x": { status: 400, body: "invalid config entry kind: x" } },
    code: 1,
    err: /Error listing config entries for kind "x"/,
  },
  "config delete": {
    line: "config delete -kind=service-defaults -name=web",
    answer: { "DELETE /v1/config/service-defaults/web": "{}" },
    out: "Config entry deleted: service-defaults/web\n",
  },
  "config delete -cas that is refused": {
    line: "config delete -kind=a -name=b -cas -modify-index=3",
    answer: { "DELETE /v1/config/a/b?cas=3": "false" },
    code: 1,
    err: "Config entry not deleted: a/b\n",
  },
  "config delete -filename": {
    line: "config delete -filename=w.hcl",
    prepare: file("w.hcl", 'kind = "a"\nname = "b"\n'),
    answer: { "DELETE /v1/config/a/b": "{}" },
    out: "Config entry deleted: a/b\n",
  },

  "exec with a tag and no service": { line: "exec -tag=t true", code: 1, err: /without service filter/, asked: [] },
  "exec of nothing": { line: "exec", code: 1, err: /Must specify a command/, asked: [] },
};

for (const [name, row] of Object.entries(rows))
  test(`${name} answers as expected`, async () => {
    const { code, out, err, io } = await run(row.line, row.answer, row.prepare);
    assert.equal(code, row.code ?? 0, err);
    if (row.out !== undefined) assert.equal(out, row.out);
    if (row.err instanceof RegExp) assert.match(err, row.err);
    else assert.equal(err, row.err ?? "");
    const asked = io.agent.asked.map(({ line, body }) => (body === "" ? line : `${line} ${body}`));
    if (row.asked !== undefined) assert.deepEqual(asked, row.asked);
    for (const { line } of io.agent.asked)
      if (row.answer !== undefined)
        assert.ok(line in row.answer || line.replace(/\?.*/, "") in row.answer, `unexpected ${line}`);
  });
