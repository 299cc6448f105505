import { createHeaderTable, ENTRY_BYTES, type Header, type HeaderTable } from "./header-table.ts";
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

type State = HpackLimits & {
  readonly table: HeaderTable;
  /** The block that is decoded, and how far. */
  block: Buffer;
  at: number;
  /** Where texts in Huffman's code are decoded. */
  scratch: Buffer;
};

/** Decodes the header blocks of one connection, which must be given whole and in their order. */
export const createHpackDecoder = ({ tableBytes, listBytes }: HpackLimits): HpackDecoder => {
  const scratch = Buffer.allocUnsafe(256);
  const state: State = { tableBytes, listBytes, table: createHeaderTable(tableBytes), block: scratch, at: 0, scratch };
  return {
    decode: (bytes) => {
      state.block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      state.at = 0;
      try {
        return decodeBlock(state);
      } catch (error) {
        if (error instanceof Damaged) return undefined;
        throw error;
      }
    },
  };
};

const decodeBlock = (state: State): Decoded => {
  const { block, listBytes, table, tableBytes } = state;
  const headers: Header[] = [];
  let bytes = 0;
  while (state.at < block.length) {
    const first = block[state.at] ?? 0;
    let header: Header;
    if (first >= 128) header = indexed(table, integer(state, 7));
    else if (first >= 64) {
      header = literal(state, 6);
      table.add(header);
    } else if (first >= 32) {
      const size = integer(state, 5);
      // Only before the first header (RFC 7541, 4.2).
      if (size > tableBytes || bytes > 0) throw new Damaged();
      table.resize(size);
      continue;
    } else header = literal(state, 4);
    bytes += header[0].length + header[1].length + ENTRY_BYTES;
    // The rest is decoded all the same: the table must stay that of the client.
    if (bytes <= listBytes) headers.push(header);
  }
  return { headers, tooLarge: bytes > listBytes };
};

const integer = (state: State, prefixBits: number): number => {
  const { block } = state;
  const most = 2 ** prefixBits - 1;
  let value = (block[state.at++] ?? 0) & most;
  if (value < most) return value;
  for (let shift = 0; shift <= 28; shift += 7) {
    const byte = block[state.at++];
    if (byte === undefined) break;
    value += (byte & 127) * 2 ** shift;
    if (value > MOST_INTEGER) break;
    if (byte < 128) return value;
  }
  throw new Damaged();
};

const text = (state: State): string => {
  const { block } = state;
  const huffman = (block[state.at] ?? 0) >= 128;
  if (state.at >= block.length) throw new Damaged();
  const length = integer(state, 7);
  const start = state.at;
  const end = start + length;
  state.at = end;
  if (end > block.length) throw new Damaged();
  if (!huffman) return block.toString("latin1", start, end);
  if (state.scratch.length < length * 2) state.scratch = Buffer.allocUnsafe(length * 2);
  const decoded = decodeHuffman(block, start, end, state.scratch);
  if (decoded < 0) throw new Damaged();
  return state.scratch.toString("latin1", 0, decoded);
};

const indexed = (table: HeaderTable, index: number): Header => {
  const entry = index === 0 ? undefined : table.get(index);
  if (entry === undefined) throw new Damaged();
  return entry;
};

const literal = (state: State, prefixBits: number): Header => {
  const index = integer(state, prefixBits);
  const name = index === 0 ? text(state) : indexed(state.table, index)[0];
  return [name, text(state)];
};
