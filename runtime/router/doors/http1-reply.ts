/** An answer over HTTP/1.1: what is said in one turn goes in one piece. */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { writeAnswer } from "../../transport/http/response.ts";
import type { Fields, Reply } from "../message.ts";

export type Http1Reply = Reply & {
  /** The head has gone, so that nothing else can be said. */
  begun(): boolean;
};

export type ReplyOptions = {
  http10: boolean;
  isHead: boolean;
  /** Whether the connection is closed after this answer, which it must say. */
  close(): boolean;
  /** Something was given to the socket. */
  written(): void;
  /** The answer is whole. `close`: what it has said. */
  ended(close: boolean): void;
};

/** What is smaller is copied: a slow client must not keep for it all that it came with. */
const LARGE_BYTES = 32 * 1024;

export const createReply = (socket: Socket, { close, ended, http10, isHead, written }: ReplyOptions): Http1Reply => {
  let head = "";
  let begun = false;
  let over = false;
  let chunked = false;
  let closes = false;
  let pieces: Buffer[] = [];
  let bytes = 0;

  const flush = (): void => {
    if (head === "" && bytes === 0) return;
    const [first] = pieces;
    const isLarge = head === "" && bytes >= LARGE_BYTES && first?.length === bytes;
    if (!(isLarge ? socket.write(first) : writeAnswer(socket, head, pieces, bytes))) written();
    head = "";
    pieces = [];
    bytes = 0;
  };
  const push = (piece: Buffer): void => {
    pieces.push(piece);
    bytes += piece.length;
  };

  return {
    head({ status, fields, length, hasBody }) {
      begun = true;
      const delimited = !hasBody || length !== undefined || isHead;
      chunked = !delimited && !http10;
      closes = close() || (!delimited && http10);
      head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n`;
      for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
      if (length !== undefined) head += `content-length: ${length}\r\n`;
      else if (chunked) head += "transfer-encoding: chunked\r\n";
      if (closes) head += "connection: close\r\n";
      else if (http10) head += "connection: keep-alive\r\n";
      head += "\r\n";
    },
    data(piece) {
      if (over || piece.length === 0) return true;
      if (chunked) push(Buffer.from(`${piece.length.toString(16)}\r\n`, "latin1"));
      push(piece);
      if (chunked) push(CRLF);
      // what comes in one turn is bounded by what is read at once, so it is what was written before that counts
      return !socket.writableNeedDrain;
    },
    flush() {
      if (!over) flush();
      if (socket.writableLength === 0) return "taken";
      return socket.writableNeedDrain ? "full" : "held";
    },
    end(trailers) {
      if (over) return;
      over = true;
      if (chunked) push(trailers.length === 0 ? LAST_CHUNK : lastChunk(trailers));
      flush();
      ended(closes);
    },
    abort() {
      over = true;
      // the client sees that there is less than was announced
      socket.destroy();
    },
    begun: () => begun,
  };
};

const CRLF = Buffer.from("\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

const lastChunk = (trailers: Fields): Buffer => {
  let text = "0\r\n";
  for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
  return Buffer.from(`${text}\r\n`, "latin1");
};
