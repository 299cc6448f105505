/** An address with the number of bits that count. */
export type AddressRange = { address: string; bits: number; version: "ipv4" | "ipv6" };

/**
 * Whose `X-Forwarded-*` and `Forwarded` routers believe: none, all, or addresses and ranges separated by commas. Undefined where the
 * text is none of these.
 */
export const parseForwardedTrust = (text: string): "all" | AddressRange[] | undefined => {
  if (text === "all") return "all";
  if (text === "none") return [];
  const ranges = text.split(",").map((range) => parseRange(range.trim()));
  return ranges.every((range) => range !== undefined) ? ranges : undefined;
};

const parseRange = (text: string): AddressRange | undefined => {
  const [address = "", length, more] = text.split("/");
  const version = versionOf(address);
  const most = version === "ipv6" ? 128 : 32;
  const bits = length === undefined ? most : /^(0|[1-9]\d{0,2})$/.test(length) ? Number(length) : Number.NaN;
  return version === undefined || more !== undefined || !(bits <= most) ? undefined : { address, bits, version };
};

const BYTE = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${BYTE}(\\.${BYTE}){3}$`);

/** An address with a zone (fe80::1%eth0) is one of a single node, and none here. */
const versionOf = (address: string): AddressRange["version"] | undefined => {
  if (IPV4.test(address)) return "ipv4";
  return /^[\dA-Fa-f:.]*:[\dA-Fa-f:.]*$/.test(address) && URL.canParse(`http://[${address}]`) ? "ipv6" : undefined;
};
