/** The little of protobuf's encoding that reading parts of a model in memory, and writing a changed one, take. */

/** A field of a message: its value lies from `at` to `end`, its key begins at `from`. */
export type MemoryField = { number: number; wire: number; from: number; at: number; end: number };

/** The fields of a message, which has been read before: what is malformed ends the list. */
export const fieldsOf = (bytes: Uint8Array, from: number, to: number): MemoryField[] => {
  const fields: MemoryField[] = [];
  let at = from;
  while (at < to) {
    const begin = at;
    const key = varintAt(bytes, at);
    const wire = Number(key.value & 7n);
    const after = key.end;
    const length = wire === 2 ? varintAt(bytes, after) : undefined;
    const begins = length === undefined ? after : length.end;
    const end =
      wire === 0
        ? varintAt(bytes, after).end
        : begins + (wire === 1 ? 8 : wire === 5 ? 4 : Number(length?.value ?? to));
    if (end > to) break;
    fields.push({ number: Number(key.value >> 3n), wire, from: begin, at: begins, end });
    at = end;
  }
  return fields;
};

export const bytesAt =
  (bytes: Uint8Array) =>
  ({ at, end }: MemoryField): Uint8Array =>
    bytes.subarray(at, end);

export const textAt = (bytes: Uint8Array, { at, end }: MemoryField): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString("utf8");

const varintAt = (bytes: Uint8Array, from: number): { value: bigint; end: number } => {
  let value = 0n;
  let at = from;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = bytes[at++] ?? 0;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return { value, end: at };
};

/** Numbers that are packed, or one that stands alone. */
export const varintsOf = (bytes: Uint8Array, { at, end }: MemoryField): bigint[] => {
  const numbers: bigint[] = [];
  for (let from = at; from < end; ) {
    const { value, end: next } = varintAt(bytes, from);
    numbers.push(value);
    from = next;
  }
  return numbers;
};

export const floatsOf = (bytes: Uint8Array, { at, end }: MemoryField): number[] => fixed(bytes, at, end, 4);
export const doublesOf = (bytes: Uint8Array, { at, end }: MemoryField): number[] => fixed(bytes, at, end, 8);

const fixed = (bytes: Uint8Array, at: number, end: number, width: 4 | 8): number[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, end - at);
  return Array.from({ length: Math.floor((end - at) / width) }, (_, i) =>
    width === 4 ? view.getFloat32(i * 4, true) : view.getFloat64(i * 8, true),
  );
};

const varint = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
};

/** A field that holds bytes: a text, or a message of such parts. */
export const field = (number: number, ...parts: (Uint8Array | string)[]): Uint8Array => {
  const content = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(content.length)]), content]);
};

/** A field that holds a whole number from 0. */
export const numberField = (number: number, value: number): Uint8Array =>
  Buffer.from([...varint(number * 8), ...varint(value)]);
