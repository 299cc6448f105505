import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { clusterAddressPolicy as allows } from "./address-policy.ts";
import { embeddedIPv4 } from "./embedded.ts";

type Octets = readonly [number, number, number, number];
const hex = (high: number, low: number): string => ((high << 8) | low).toString(16);

/** The ways to write an IPv4 address into one of IPv6. */
const EMBEDDINGS: Record<string, (octets: Octets) => string> = {
  mapped: ([a, b, c, d]) => `::ffff:${a}.${b}.${c}.${d}`,
  "mapped, in groups": ([a, b, c, d]) => `0:0:0:0:0:ffff:${hex(a, b)}:${hex(c, d)}`,
  compatible: ([a, b, c, d]) => `::${a}.${b}.${c}.${d}`,
  translated: ([a, b, c, d]) => `::ffff:0:${a}.${b}.${c}.${d}`,
  NAT64: ([a, b, c, d]) => `64:ff9b::${hex(a, b)}:${hex(c, d)}`,
  "NAT64 of 96 bits, for local use": ([a, b, c, d]) => `64:ff9b:1:0:0:0:${hex(a, b)}:${hex(c, d)}`,
  "NAT64 of 96 bits, of a subnet for local use": ([a, b, c, d]) => `64:ff9b:1:7:8:9:${a}.${b}.${c}.${d}`,
  "NAT64 of 64 bits, for local use": ([a, b, c, d]) => `64:ff9b:1:7:${hex(0, a)}:${hex(b, c)}:${hex(d, 0)}:0`,
  "NAT64 of 56 bits, for local use": ([a, b, c, d]) => `64:ff9b:1:${hex(7, a)}:${hex(0, b)}:${hex(c, d)}:0:0`,
  "NAT64 of 48 bits, for local use": ([a, b, c, d]) => `64:ff9b:1:${hex(a, b)}:${hex(0, c)}:${hex(d, 0)}:0:0`,
  "6to4": ([a, b, c, d]) => `2002:${hex(a, b)}:${hex(c, d)}::1`,
  "Teredo's client": ([a, b, c, d]) => `2001:0:808:808:0:0:${hex(a ^ 255, b ^ 255)}:${hex(c ^ 255, d ^ 255)}`,
  "Teredo's server": ([a, b, c, d]) => `2001:0:${hex(a, b)}:${hex(c, d)}:0:0:f7f7:f7f7`,
  ISATAP: ([a, b, c, d]) => `2001:db8::5efe:${a}.${b}.${c}.${d}`,
  "ISATAP, universal": ([a, b, c, d]) => `2001:db8::200:5efe:${a}.${b}.${c}.${d}`,
};

const REFUSED: Octets[] = [
  [0, 0, 0, 0],
  [0, 1, 2, 3],
  [127, 0, 0, 1],
  [127, 255, 255, 254],
  [169, 254, 169, 254],
  [169, 254, 170, 2],
  [100, 100, 100, 200],
  [168, 63, 129, 16],
  [192, 0, 0, 192],
  [224, 0, 0, 1],
  [255, 255, 255, 255],
];
const ALLOWED: Octets[] = [
  [8, 8, 8, 8],
  [10, 0, 0, 5],
  [172, 16, 0, 1],
  [192, 168, 1, 1],
  [100, 64, 0, 1],
];
const octet = fc.nat(255);
const anyOctets = fc.oneof(fc.tuple(octet, octet, octet, octet), fc.constantFrom(...REFUSED, ...ALLOWED));

describe("addresses that models are fetched from", () => {
  it("are not those of the pod, its link, metadata and groups; those of the cluster are", () => {
    for (const octets of REFUSED) assert.equal(allows(octets.join(".")), false, octets.join("."));
    for (const octets of ALLOWED) assert.equal(allows(octets.join(".")), true, octets.join("."));
    for (const address of ["::", "::1", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254", "fd20:ce::254", "x", ""])
      assert.equal(allows(address), false, address);
    for (const address of ["2001:db8::1", "2606:4700::1111", "fd00::1", "2001:4860:4860::8888", "64:ff9c::7f00:1"])
      assert.equal(allows(address), true, address);
  });

  for (const [kind, embed] of Object.entries(EMBEDDINGS)) {
    it(`are none of IPv6 that embed a refused one of IPv4: ${kind}`, () => {
      for (const octets of REFUSED) assert.equal(allows(embed(octets)), false, embed(octets));
      fc.assert(
        fc.property(anyOctets, (octets) => {
          fc.pre(!allows(octets.join(".")));
          assert.equal(allows(embed(octets)), false, embed(octets));
        }),
      );
    });
    // those are refused, whatever they embed
    const isShort = ["NAT64 of 56 bits, for local use", "NAT64 of 48 bits, for local use"].includes(kind);
    if (isShort) continue;
    it(`embed the address that was written into them: ${kind}`, () => {
      fc.assert(
        fc.property(anyOctets, (octets) => {
          assert.ok(embeddedIPv4(embed(octets)).includes(octets.join(".")), embed(octets));
        }),
      );
    });
    if (kind !== "compatible")
      it(`may be those of IPv6 that embed an allowed one of IPv4: ${kind}`, () => {
        for (const octets of ALLOWED.slice(0, 2)) assert.equal(allows(embed(octets)), true, embed(octets));
      });
  }
});
