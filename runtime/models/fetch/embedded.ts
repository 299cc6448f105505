/** IPv4 addresses within IPv6 addresses: translators and tunnels send to them what is sent to those. Pure. */
import { isIPv6 } from "node:net";

/** All that the address may stand for; none where it is no IPv6 address, or stands for itself alone. */
export const embeddedIPv4 = (address: string): string[] => {
  const groups = isIPv6(address) ? groupsOf(address) : [];
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  if (groups.length === 0) return [];
  const last = dotted(g, h);
  const found: string[] = [];
  const isZero = (...some: number[]): boolean => some.every((group) => group === 0);
  // mapped and compatible (RFC 4291), translated (RFC 2765)
  if (isZero(a, b, c, d, e) && (f === 0xffff || f === 0)) found.push(last);
  if (isZero(a, b, c, d, f) && e === 0xffff) found.push(last);
  // NAT64: the well-known prefix (RFC 6052), and the one for local use (RFC 8215)
  if (a === 0x64 && b === 0xff9b && isZero(c, d, e, f)) found.push(last);
  if (a === 0x64 && b === 0xff9b && c === 1) found.push(...localNat64([e, f, g, h]));
  // 6to4 (RFC 3056)
  if (a === 0x2002) found.push(dotted(b, c));
  // Teredo (RFC 4380): its server, and its client, whose bits are turned
  if (a === 0x2001 && b === 0) found.push(dotted(c, d), dotted(g ^ 0xffff, h ^ 0xffff));
  // ISATAP (RFC 5214), below any prefix
  if ((e === 0 || e === 0x200) && f === 0x5efe) found.push(last);
  return found;
};

/**
 * A site chooses a prefix of 96 bits, or of 64, which leaves three zeros at the end (RFC 6052, 2.2). The shorter ones leave four, which is
 * 0.0.0.0 of the longest, and so refused.
 */
const localNat64 = ([e = 0, f = 0, g = 0, h = 0]: readonly number[]): string[] => {
  if ((g & 0xff) !== 0 || h !== 0) return [dotted(g, h)];
  // the octet before the address is none of it
  return [dotted(g, h), [e & 0xff, f >> 8, f & 0xff, g >> 8].join(".")];
};

const dotted = (high: number, low: number): string => [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");

/** The eight groups of an address that is known to be one. */
const groupsOf = (address: string): number[] => {
  const text = address.replace(/%.*$/, "").replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...octets: string[]) => {
    const [p = 0, q = 0, r = 0, s = 0] = octets.slice(0, 4).map(Number);
    return `${((p << 8) | q).toString(16)}:${((r << 8) | s).toString(16)}`;
  });
  const [head = "", tail] = text.split("::");
  const parse = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const [before, after] = [parse(head), parse(tail ?? "")];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
};
