import assert from "node:assert/strict";
import { test } from "node:test";
import { AddressTemplateError, expandTemplate } from "../../src/config/address-template.ts";
import { type InterfaceAddress, privateIpv4, publicIpv6 } from "../../src/config/network-interface.ts";
import { interfaces } from "./interfaces.ts";

const more: readonly InterfaceAddress[] = [
  ...interfaces,
  { name: "eth2", address: "172.16.3.4", prefixBits: 12, loopback: false },
];

const expansions: readonly [string, string][] = [
  ["1.2.3.4", "1.2.3.4"],
  ["", ""],
  ["{{ GetPrivateIP }}", "172.16.3.4"],
  ["{{GetPrivateIP}}", "172.16.3.4"],
  ["{{ GetPrivateIPs }}", "172.16.3.4 10.0.0.1"],
  ["{{ GetPublicIP }}", "8.8.8.8"],
  ["{{ GetPublicIPs }}", "8.8.8.8 2606:4700::1"],
  ['{{ GetInterfaceIP "eth0" }}', "10.0.0.1"],
  ['{{ GetInterfaceIP "eth[12]" }}', "172.16.3.4"],
  ['{{ GetInterfaceIP "none" }}', ""],
  ['{{ GetInterfaceIPs "eth0" }}', "10.0.0.1 fe80::1"],
  ['{{ GetPrivateInterfaces | attr "name" }}', "eth2"],
  ['{{ GetPublicInterfaces | join "address" "," }}', "8.8.8.8,2606:4700::1"],
  ['{{ GetAllInterfaces | include "network" "10.0.0.0/8" | attr "address" }}', "10.0.0.1"],
  ['{{ GetAllInterfaces | include "network" "10.0.0.0/8|8.0.0.0/8" | join "address" " " }}', "10.0.0.1 8.8.8.8"],
  [
    '{{ GetAllInterfaces | include "name" "^eth" | include "type" "ipv6" | join "address" " " }}',
    "fe80::1 2606:4700::1",
  ],
  [
    '{{ GetAllInterfaces | exclude "name" "lo|eth0" | exclude "type" "ipv6" | join "address" " " }}',
    "8.8.8.8 172.16.3.4",
  ],
  ['{{ GetAllInterfaces | include "flags" "loopback" | join "address" " " }}', "127.0.0.1 ::1"],
  ['{{ GetAllInterfaces | include "flag" "forwardable|up" | limit 2 | join "name" " " }}', "lo lo"],
  ['{{ GetAllInterfaces | include "flags" "link-local unicast" | attr "address" }}', "fe80::1"],
  ['{{ GetAllInterfaces | include "rfc" "1918" | sort "address" | join "address" " " }}', "10.0.0.1 172.16.3.4"],
  ['{{ GetAllInterfaces | include "rfc" "1918" | sort "-address" | join "address" " " }}', "172.16.3.4 10.0.0.1"],
  ['{{ GetAllInterfaces | include "size" "24" | attr "string" }}', "10.0.0.1/24"],
  ['{{ GetAllInterfaces | include "address" "^10[.]" | attr "network" }}', "10.0.0.0"],
  ['{{ GetAllInterfaces | sort "-name,+type" | offset 1 | limit 2 | join "name" " " }}', "lo eth2"],
  ['{{ GetAllInterfaces | unique "name" | join "name" " " }}', "lo eth0 eth1 eth2"],
  ['{{ GetAllInterfaces | sort "private" | limit 1 | attr "type" }}', "IPv4"],
  ['{{ . | limit 1 | attr "name" }}', "lo"],
  ["{{ GetPrivateInterfaces | join `address` ` ` }}", "172.16.3.4 10.0.0.1"],
  ['{{ printf "1.2.3.4" }}', "1.2.3.4"],
  ['{{ printf "%s:%d 100%%" (GetPublicIP) 80 }}', "8.8.8.8:80 100%"],
  ["a {{ GetPublicIP }} b {{ GetPrivateIP }} c", "a 8.8.8.8 b 172.16.3.4 c"],
  ["a {{- GetPublicIP -}} b", "a8.8.8.8b"],
  ['{{ printf "}}" }}', "}}"],
];

for (const [text, wanted] of expansions) {
  test(`expandTemplate: ${text}`, () => assert.equal(expandTemplate(text, more), wanted));
}

const faults: readonly [string, RegExp][] = [
  ["{{ GetNothing }}", /the template function "GetNothing" is not supported/],
  ['{{ GetAllInterfaces | math "address" "+1" }}', /the template function "math" is not supported/],
  ["{{ range . }}x{{ end }}", /the template function "range" is not supported/],
  ["{{ GetAllInterfaces }}", /is a list of interfaces; end it with attr or join/],
  ["{{ GetPrivateIP", /a template action is not closed by }}/],
  ["{{ }}", /a template action is empty/],
  ["{{ GetPrivateIP | }}", /only a function can follow \||empty command/],
  ['{{ GetPrivateIP "x" }}', /wrong arguments for the function GetPrivateIP/],
  ["{{ GetInterfaceIP }}", /wrong arguments for the function GetInterfaceIP/],
  ['{{ GetAllInterfaces | include "colour" "red" | attr "name" }}', /invalid selector "colour"/],
  ['{{ GetAllInterfaces | include "network" "x" | attr "name" }}', /"x" is no network/],
  ['{{ GetAllInterfaces | include "name" "(" | attr "name" }}', /"\(" is no regular expression/],
  ['{{ GetAllInterfaces | include "rfc" "1" | attr "name" }}', /unsupported RFC "1"/],
  ['{{ GetAllInterfaces | include "type" "unix" | attr "name" }}', /unsupported type "unix"/],
  ['{{ GetAllInterfaces | include "flags" "odd" | attr "name" }}', /the interface flag "odd" is not supported/],
  ['{{ GetAllInterfaces | sort "colour" | attr "name" }}', /unknown sort type: "colour"/],
  ['{{ GetAllInterfaces | attr "colour" }}', /unsupported attribute name "colour"/],
  ["{{ GetDefaultInterfaces }}", /needs the routing table/],
  ["{{ 'x' }}", /cannot read the template action/],
  ["{{ (GetPublicIP }}", /a \( in a template is not closed/],
  ["{{ GetPublicIP ) }}", /unexpected \)/],
];

for (const [text, message] of faults) {
  test(`expandTemplate: ${text} is refused`, () => {
    assert.throws(
      () => expandTemplate(text, more),
      (error) => error instanceof AddressTemplateError && message.test(error.message),
    );
  });
}

test("expandTemplate: the default route decides where it is known", () => {
  const routed = more.map((each) => ({ ...each, defaultRoute: each.name === "eth0" }));
  assert.equal(expandTemplate("{{ GetPrivateIP }}", routed), "10.0.0.1");
  assert.equal(expandTemplate('{{ GetDefaultInterfaces | attr "address" }}', routed), "10.0.0.1");
  assert.equal(expandTemplate("{{ GetPrivateIP }}", []), "");
});

test("privateIpv4: loopback counts only when there is nothing else", () => {
  assert.deepEqual(privateIpv4(interfaces), ["10.0.0.1"]);
  assert.deepEqual(privateIpv4(more), ["10.0.0.1", "172.16.3.4"]);
  assert.deepEqual(privateIpv4(interfaces.filter(({ name }) => name === "eth1")), []);
  assert.deepEqual(privateIpv4(interfaces.filter(({ loopback }) => loopback)), ["127.0.0.1"]);
});

test("publicIpv6: neither loopback nor link-local nor unique local addresses", () => {
  assert.deepEqual(publicIpv6(interfaces), ["2606:4700::1"]);
  assert.deepEqual(publicIpv6([{ name: "x", address: "fd00::1", prefixBits: 64, loopback: false }]), []);
});
