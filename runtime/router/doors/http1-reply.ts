/** An answer over HTTP/1.1: what is said in one turn goes in one piece. */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { writeAnswer } from "../../transport/http/response.ts";
import type { AnswerHead, Fields, Reply } from "../message.ts";

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

type State = {
  readonly socket: Socket;
  readonly options: ReplyOptions;
  /** What is not written yet. */
  head: string;
  pieces: Buffer[];
  bytes: number;
  begun: boolean;
  over: boolean;
  chunked: boolean;
  closes: boolean;
};

export const createReply = (socket: Socket, options: ReplyOptions): Http1Reply => {
  const state: State = {
    socket,
    options,
    head: "",
    pieces: [],
    bytes: 0,
    begun: false,
    over: false,
    chunked: false,
    closes: false,
  };
  return {
    head: (answer) => writeHead(state, answer),
    data(piece) {
      if (state.over || piece.length === 0) return true;
      if (state.chunked) push(state, Buffer.from(`${piece.length.toString(16)}\r\n`, "latin1"));
      push(state, piece);
      if (state.chunked) push(state, CRLF);
      // what comes in one turn is bounded by what is read at once, so it is what was written before that counts
      return !socket.writableNeedDrain;
    },
    flush() {
      if (!state.over) flush(state);
      if (socket.writableLength === 0) return "taken";
      return socket.writableNeedDrain ? "full" : "held";
    },
    end(trailers) {
      if (state.over) return;
      state.over = true;
      if (state.chunked) push(state, trailers.length === 0 ? LAST_CHUNK : lastChunk(trailers));
      flush(state);
      options.ended(state.closes);
    },
    abort() {
      state.over = true;
      // the client sees that there is less than was announced
      socket.destroy();
    },
    begun: () => state.begun,
  };
};

const writeHead = (state: State, { status, fields, length, hasBody }: AnswerHead): void => {
  const { close, http10, isHead } = state.options;
  const delimited = !hasBody || length !== undefined || isHead;
  state.begun = true;
  state.chunked = !delimited && !http10;
  state.closes = close() || (!delimited && http10);
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  if (length !== undefined) head += `content-length: ${length}\r\n`;
  else if (state.chunked) head += "transfer-encoding: chunked\r\n";
  if (state.closes) head += "connection: close\r\n";
  else if (http10) head += "connection: keep-alive\r\n";
  state.head = `${head}\r\n`;
};

const push = (state: State, piece: Buffer): void => {
  state.pieces.push(piece);
  state.bytes += piece.length;
};

const flush = (state: State): void => {
  const { bytes, head, pieces, socket } = state;
  if (head === "" && bytes === 0) return;
  const [first] = pieces;
  const isLarge = head === "" && bytes >= LARGE_BYTES && first?.length === bytes;
  if (!(isLarge ? socket.write(first) : writeAnswer(socket, head, pieces, bytes))) state.options.written();
  state.head = "";
  state.pieces = [];
  state.bytes = 0;
};

const CRLF = Buffer.from("\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

const lastChunk = (trailers: Fields): Buffer => {
  let text = "0\r\n";
  for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
  return Buffer.from(`${text}\r\n`, "latin1");
};
