/**
 * A list as its bytes come, item by item: whoever makes pods decides how large a page of them is, and to parse one whole holds the event
 * loop, and the memory of all its items, for as long as there are bytes. Pure.
 */
import { parseJson } from "./json.ts";

export type ListReader = {
  /** The items that end in this piece. Throws where one is no JSON. */
  take(piece: Buffer): unknown[];
  /** What the answer says beside its items; undefined: it is no JSON, or not all of it has come. */
  rest(): unknown;
};

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
/** A brace, and a bracket but for this bit. */
const [OPEN, CLOSE, BRACE] = [0x7b, 0x7d, 0x20];
/** Depths: in the list's own brace, and in the bracket of its items. */
const [IN_LIST, IN_ITEMS] = [1, 2];

export const createListReader = (): ListReader => {
  /** Bytes of earlier pieces: of the item that has begun, and of all that is no item. */
  let begun: Buffer[] = [];
  const around: Buffer[] = [];
  let state = { depth: 0, isText: false, isEscaped: false, isItems: false };
  /** The last text of the list itself, as far as it has come: the name of what follows. */
  let name = "";

  const itemOf = (end: Buffer): unknown => {
    const whole = begun.length === 0 ? end : Buffer.concat([...begun, end]);
    begun = [];
    return JSON.parse(whole.toString());
  };
  const take = (piece: Buffer): unknown[] => {
    const items: unknown[] = [];
    // in variables of this function: each byte is looked at
    let { depth, isEscaped, isItems, isText } = state;
    /** Where what is not taken yet begins, and the last text. */
    let from = 0;
    let textFrom = 0;
    for (let at = 0; at < piece.length; at++) {
      let byte = piece[at] ?? 0;
      if (isText) {
        if (isEscaped) {
          isEscaped = false;
          continue;
        }
        while (byte !== QUOTE && byte !== BACKSLASH && at < piece.length) byte = piece[++at] ?? 0;
        isEscaped = byte === BACKSLASH;
        isText = byte !== QUOTE;
        if (!isText && depth === IN_LIST) name += piece.toString("latin1", textFrom, at);
      } else if (byte === QUOTE) {
        isText = true;
        if (depth === IN_LIST) {
          name = "";
          textFrom = at + 1;
        }
      } else if ((byte | BRACE) === OPEN) {
        if (isItems && depth === IN_ITEMS) {
          keep(around, piece, from, at);
          from = at;
        }
        depth++;
        if (depth === IN_ITEMS) isItems = byte !== OPEN && name === "items";
      } else if ((byte | BRACE) === CLOSE) {
        depth--;
        if (isItems && depth === IN_ITEMS) {
          items.push(itemOf(piece.subarray(from, at + 1)));
          from = at + 1;
        } else if (depth === IN_LIST) isItems = false;
      } else if (byte === COMMA && isItems && depth === IN_ITEMS) {
        keep(around, piece, from, at);
        from = at + 1;
      }
    }
    if (isText && depth === IN_LIST) name += piece.toString("latin1", textFrom);
    keep(isItems && depth > IN_ITEMS ? begun : around, piece, from, piece.length);
    state = { depth, isText, isEscaped, isItems };
    return items;
  };

  return { take, rest: () => parseJson(Buffer.concat(around).toString()) };
};

/** A copy, for a part of the piece would keep the whole of what the socket has read. */
const keep = (to: Buffer[], piece: Buffer, from: number, end: number): void => {
  if (end > from) to.push(Buffer.from(piece.subarray(from, end)));
};
