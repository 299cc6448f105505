import type { Header } from "./header-table.ts";

export type HeaderEncoder = {
  /** The block of `headers`, whose names are in lower case and whose values are latin1. Give blocks to the client in the order of these calls. */
  encode(headers: readonly Header[]): Buffer;
  /** The client's table is of this many bytes from now on. */
  resize(bytes: number): void;
};

/** What each answer repeats goes into the client's table: after the first time it takes a byte. */
const REPEATED: readonly Header[] = [
  ["content-type", "application/grpc"],
  ["grpc-status", "0"],
];
/** They need 60 and 44 bytes of it; what a client leaves at its default has 4096. */
const LEAST_TABLE_BYTES = 4096;
/** The dynamic entries follow the 61 static ones (RFC 7541, 2.3.3). */
const FIRST_DYNAMIC = 62;
const STATUS_200 = 0x88;

/** Encodes the header blocks of one connection (RFC 7541). Huffman's code is not used: it takes longer than it saves. */
export const createHeaderEncoder = (): HeaderEncoder => {
  // the places in REPEATED of what the client's table has, the oldest first
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
    if (name === ":status" && value === "200") {
      scratch[at++] = STATUS_200;
      return;
    }
    const repeated = indexing ? REPEATED.findIndex((one) => one[0] === name && one[1] === value) : -1;
    const place = repeated < 0 ? -1 : table.indexOf(repeated);
    if (place >= 0) {
      scratch[at++] = 128 | (FIRST_DYNAMIC + table.length - 1 - place);
      return;
    }
    if (repeated >= 0) table.push(repeated);
    scratch[at++] = repeated >= 0 ? 64 : 0;
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
