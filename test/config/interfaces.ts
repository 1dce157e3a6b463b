// The interfaces of a machine that the tests share.
import type { InterfaceAddress } from "../../src/config/network-interface.ts";

export const interfaces: readonly InterfaceAddress[] = [
  { name: "lo", address: "127.0.0.1", prefixBits: 8, loopback: true },
  { name: "lo", address: "::1", prefixBits: 128, loopback: true },
  { name: "eth0", address: "10.0.0.1", prefixBits: 24, loopback: false },
  { name: "eth0", address: "fe80::1", prefixBits: 64, loopback: false },
  { name: "eth1", address: "8.8.8.8", prefixBits: 22, loopback: false },
  { name: "eth1", address: "2606:4700::1", prefixBits: 48, loopback: false },
];
