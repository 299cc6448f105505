import type { Header } from "./header-table.ts";

export type HeaderEncoder = {
  /** The block of `headers`, whose names are in lower case and whose values are latin1. Give blocks to the other side in the order of these calls. */
  encode(headers: readonly Header[]): Buffer;
  /** The other side's table is of this many bytes from now on. */
  resize(bytes: number): void;
};

/** What each answer of gRPC repeats, and each call: it goes into the other side's table, and after the first time takes a byte. */
const REPEATED_BY_ANSWERS: readonly Header[] = [
  ["content-type", "application/grpc"],
  ["grpc-status", "0"],
];
export const REPEATED_BY_CALLS: readonly Header[] = [
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];
/** They need about 60 bytes of it each; what is left at its default has 4096. */
const LEAST_TABLE_BYTES = 4096;
/** The dynamic entries follow the 61 static ones (RFC 7541, 2.3.3). */
const FIRST_DYNAMIC = 62;
const STATUS_200 = 0x88;
const METHOD_POST = 0x83;
const SCHEME_HTTP = 0x86;

/** What of a header takes a byte by itself; 0 for others. */
const staticByte = (name: string, value: string): number => {
  if (!name.startsWith(":")) return 0;
  if (name === ":status") return value === "200" ? STATUS_200 : 0;
  if (name === ":method") return value === "POST" ? METHOD_POST : 0;
  return name === ":scheme" && value === "http" ? SCHEME_HTTP : 0;
};

/**
 * Encodes the header blocks of one connection (RFC 7541). Huffman's code is not used: it takes longer than it saves.
 *
 * @param repeated what goes into the other side's table
 */
export const createHeaderEncoder = (repeated: readonly Header[] = REPEATED_BY_ANSWERS): HeaderEncoder => {
  // the places in `repeated` of what the other side's table has, the oldest first
  let table: number[] = [];
  let indexing = true;
  let mustEmpty = false;
  let scratch = Buffer.allocUnsafe(256);
  let at = 0;

  const text = (value: string): void => {
    const { length } = value;
    if (at + length + 8 > scratch.length) scratch = Buffer.concat([scratch], (at + length + 8) * 2);
    if (length < 127) scratch[at++] = length;
    else {
      scratch[at++] = 127;
      let rest = length - 127;
      for (; rest >= 128; rest = Math.floor(rest / 128)) scratch[at++] = (rest % 128) + 128;
      scratch[at++] = rest;
    }
    at += scratch.write(value, at, "latin1");
  };

  const add = (name: string, value: string): void => {
    if (at + 16 > scratch.length) scratch = Buffer.concat([scratch], scratch.length * 2);
    const byte = staticByte(name, value);
    if (byte > 0) {
      scratch[at++] = byte;
      return;
    }
    const entry = indexing ? repeated.findIndex((one) => one[0] === name && one[1] === value) : -1;
    const place = entry < 0 ? -1 : table.indexOf(entry);
    if (place >= 0) {
      scratch[at++] = 128 | (FIRST_DYNAMIC + table.length - 1 - place);
      return;
    }
    if (entry >= 0) table.push(entry);
    scratch[at++] = entry >= 0 ? 64 : 0;
    text(name);
    text(value);
  };

  return {
    encode: (headers) => {
      at = 0;
      if (mustEmpty) {
        scratch[at++] = 32;
        mustEmpty = false;
      }
      for (const header of headers) add(header[0], header[1]);
      return Buffer.from(scratch.subarray(0, at));
    },
    resize: (bytes) => {
      if (!indexing || bytes >= LEAST_TABLE_BYTES) return;
      indexing = false;
      mustEmpty = true;
      table = [];
    },
  };
};
