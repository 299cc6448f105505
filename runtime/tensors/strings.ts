/** BYTES elements: each its length as an unsigned 32-bit little-endian number, and then so many bytes. */

export const encodeStrings = (values: readonly (string | Uint8Array)[]): Uint8Array => {
  const sizes = values.map((value) => Buffer.byteLength(value));
  const bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + 4 + size, 0));
  let at = 0;
  for (const [i, value] of values.entries()) {
    at = bytes.writeUInt32LE(sizes[i] ?? 0, at);
    if (typeof value === "string") at += bytes.write(value, at);
    else {
      bytes.set(value, at);
      at += value.length;
    }
  }
  return bytes;
};

/**
 * The elements, as slices of `bytes`; undefined where these are not exactly `count` elements.
 */
export const splitStrings = (bytes: Uint8Array, count: number): Uint8Array[] | undefined => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (values.length === count || at + 4 > bytes.length) return undefined;
    const end = at + 4 + view.getUint32(at, true);
    if (end > bytes.length) return undefined;
    values.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return values.length === count ? values : undefined;
};
