import { createHeaderTable, ENTRY_BYTES, type Header } from "./header-table.ts";
import { decodeHuffman } from "./huffman.ts";

/** `undefined`: the block is damaged, and the connection must end with COMPRESSION_ERROR (RFC 9113, 4.3). */
export type Decoded = { headers: Header[]; tooLarge: boolean } | undefined;

export type HpackDecoder = { decode(block: Uint8Array): Decoded };

export type HpackLimits = {
  /** SETTINGS_HEADER_TABLE_SIZE as told to the client, in bytes. */
  tableBytes: number;
  /** The most that the headers of one block may count, in bytes, with 32 for each; of more, `headers` has the first ones. */
  listBytes: number;
};

/** No integer of ours needs more: lengths of strings, indexes and sizes of tables. */
const MOST_INTEGER = 2 ** 28;

class Damaged extends Error {}

/** Decodes the header blocks of one connection, which must be given whole and in their order. */
export const createHpackDecoder = ({ tableBytes, listBytes }: HpackLimits): HpackDecoder => {
  const table = createHeaderTable(tableBytes);
  let scratch = Buffer.allocUnsafe(256);
  let block: Buffer = scratch;
  let at = 0;

  const integer = (prefixBits: number): number => {
    const most = 2 ** prefixBits - 1;
    let value = (block[at++] ?? 0) & most;
    if (value < most) return value;
    for (let shift = 0; shift <= 28; shift += 7) {
      const byte = block[at++];
      if (byte === undefined) break;
      value += (byte & 127) * 2 ** shift;
      if (value > MOST_INTEGER) break;
      if (byte < 128) return value;
    }
    throw new Damaged();
  };

  const text = (): string => {
    const huffman = (block[at] ?? 0) >= 128;
    if (at >= block.length) throw new Damaged();
    const length = integer(7);
    const start = at;
    at += length;
    if (at > block.length) throw new Damaged();
    if (!huffman) return block.toString("latin1", start, at);
    if (scratch.length < length * 2) scratch = Buffer.allocUnsafe(length * 2);
    const decoded = decodeHuffman(block, start, at, scratch);
    if (decoded < 0) throw new Damaged();
    return scratch.toString("latin1", 0, decoded);
  };

  const indexed = (index: number): Header => {
    const entry = index === 0 ? undefined : table.get(index);
    if (entry === undefined) throw new Damaged();
    return entry;
  };

  const literal = (prefixBits: number): Header => {
    const index = integer(prefixBits);
    const name = index === 0 ? text() : indexed(index)[0];
    return [name, text()];
  };

  const all = (): Decoded => {
    const headers: Header[] = [];
    let bytes = 0;
    while (at < block.length) {
      const first = block[at] ?? 0;
      let header: Header;
      if (first >= 128) header = indexed(integer(7));
      else if (first >= 64) {
        header = literal(6);
        table.add(header);
      } else if (first >= 32) {
        const size = integer(5);
        // Only before the first header (RFC 7541, 4.2).
        if (size > tableBytes || bytes > 0) throw new Damaged();
        table.resize(size);
        continue;
      } else header = literal(4);
      bytes += header[0].length + header[1].length + ENTRY_BYTES;
      // The rest is decoded all the same: the table must stay that of the client.
      if (bytes <= listBytes) headers.push(header);
    }
    return { headers, tooLarge: bytes > listBytes };
  };

  return {
    decode: (bytes) => {
      block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      at = 0;
      try {
        return all();
      } catch (error) {
        if (error instanceof Damaged) return undefined;
        throw error;
      }
    },
  };
};
