/** What comes on a connection, whole: frames without their padding, header blocks decoded. Shared by server and client. */
import { dependsOnItself, faultOf, type Surroundings, unpadded } from "./frame-rules.ts";
import { createFrameReader, type FrameHead } from "./frames.ts";
import { createHeaderBlock, type HeaderBlock } from "./header-block.ts";
import type { Header } from "./header-table.ts";
import { createHpackDecoder, type HpackDecoder } from "./hpack.ts";
import * as http2 from "./protocol.ts";

/** Who deals with it. The functions that give a boolean say whether the connection goes on. */
export type Receiver = {
  client: Surroundings["client"];
  /** What the headers of one block may count, in bytes. */
  listBytes: number;
  /** The last stream that was opened. */
  lastId(): number;
  /** What may be sent on the connection, in bytes. */
  window(): number;
  /** Ends the connection: always false. */
  fail(code: number, reason: string): false;
  /** Counts a frame that moved nothing. */
  idle(): boolean;
  /** DATA counts when it begins, whatever its stream does with it: our side of the windows must be the other side's. */
  beginData(frame: FrameHead): boolean;
  /** Bytes are a view of what was read. `last`: no more of this frame comes. */
  onData(frame: FrameHead, bytes: Buffer, last: boolean): boolean;
  /** A header block has come whole; undefined: it was too large. */
  onHeaders(id: number, headers: readonly Header[] | undefined, ended: boolean): boolean;
  onReset(id: number, code: number): boolean;
  onSettings(payload: Buffer): boolean;
  onPing(isAnswer: boolean, payload: Buffer): boolean;
  onWindowUpdate(id: number, increment: number): boolean;
  onGoAway(last: number, code: number, reason: string): boolean;
  /** A frame besides DATA was dealt with. */
  frameEnded(): void;
};

export type Incoming = {
  /** Whether more is wanted. */
  read(chunk: Buffer): boolean;
  /** The other side's first SETTINGS have come. */
  isSettled(): boolean;
  /** A header block has begun and not ended. */
  isInBlock(): boolean;
  /** A frame besides DATA has begun and not ended. */
  isInFrame(): boolean;
};

const PADDING = "more padding than payload";
const ITSELF = "a stream that depends on itself";
/** Of what a side says when it leaves. */
const MOST_REASON = 100;

type State = {
  readonly receiver: Receiver;
  readonly decoder: HpackDecoder;
  readonly headerBlock: HeaderBlock;
  readonly around: Surroundings;
  /** The one that is being read. */
  frame: FrameHead;
  /** What has come of it, where it must be whole. */
  parts: Buffer[];
  /** Whether the stream ends with the header block that is being read. */
  blockEnds: boolean;
};

export const createIncoming = (receiver: Receiver): Incoming => {
  const { client, listBytes } = receiver;
  const state: State = {
    receiver,
    decoder: createHpackDecoder({ tableBytes: 4096, listBytes }),
    headerBlock: createHeaderBlock(listBytes),
    around: { client, settled: false, blockOf: 0, lastId: 0, window: 0 },
    frame: { length: 0, type: 0, flags: 0, stream: 0 },
    parts: [],
    blockEnds: false,
  };
  return {
    read: createFrameReader({
      head: (head) => onHead(state, head),
      payload: (bytes, last) => onPayload(state, bytes, last),
    }),
    isSettled: () => state.around.settled,
    isInBlock: () => state.around.blockOf !== 0,
    isInFrame: () => state.parts.length > 0,
  };
};

const onHead = (state: State, head: FrameHead): boolean => {
  const { around, receiver } = state;
  state.frame = head;
  around.lastId = receiver.lastId();
  around.window = receiver.window();
  const fault = faultOf(head, around);
  if (fault !== undefined) return receiver.fail(fault.code, fault.reason);
  return head.type !== http2.DATA || receiver.beginData(head);
};

const onPayload = (state: State, bytes: Buffer, last: boolean): boolean => {
  const { frame, parts, receiver } = state;
  if (frame.type === http2.DATA && (frame.flags & http2.PADDED) === 0) return receiver.onData(frame, bytes, last);
  if (!last) {
    // what comes next may be read to the same place
    if (bytes.length > 0) parts.push(Buffer.from(bytes));
    return true;
  }
  const whole = parts.length === 0 ? bytes : Buffer.concat([...parts, bytes]);
  state.parts = [];
  const goesOn = onFrame(state, whole);
  receiver.frameEnded();
  return goesOn;
};

const onFrame = (state: State, payload: Buffer): boolean => {
  const { frame, receiver } = state;
  const isAnswer = (frame.flags & http2.ACK) !== 0;
  switch (frame.type) {
    case http2.DATA: {
      const data = unpadded(payload, frame.flags);
      return data === undefined ? receiver.fail(http2.PROTOCOL_ERROR, PADDING) : receiver.onData(frame, data, true);
    }
    case http2.HEADERS:
      return onHeadersFrame(state, payload);
    case http2.CONTINUATION:
      return takeBlock(state, payload);
    case http2.RST_STREAM:
      return receiver.onReset(frame.stream, payload.readUInt32BE());
    case http2.SETTINGS:
      state.around.settled = true;
      return isAnswer ? receiver.idle() : receiver.onSettings(payload);
    case http2.PING:
      return receiver.onPing(isAnswer, payload);
    case http2.WINDOW_UPDATE:
      return receiver.onWindowUpdate(frame.stream, payload.readUInt32BE() % 2 ** 31);
    case http2.PRIORITY:
      return dependsOnItself(payload, frame.stream) ? receiver.fail(http2.PROTOCOL_ERROR, ITSELF) : receiver.idle();
    case http2.GOAWAY: {
      const reason = payload.toString("latin1", 8, 8 + MOST_REASON);
      return receiver.onGoAway(payload.readUInt32BE() % 2 ** 31, payload.readUInt32BE(4), reason);
    }
    default:
      return receiver.idle();
  }
};

const onHeadersFrame = (state: State, payload: Buffer): boolean => {
  const { frame, receiver } = state;
  const fields = unpadded(payload, frame.flags);
  const skip = (frame.flags & http2.WITH_PRIORITY) === 0 ? 0 : 5;
  if (fields === undefined || fields.length < skip) return receiver.fail(http2.PROTOCOL_ERROR, PADDING);
  if (skip > 0 && dependsOnItself(fields, frame.stream)) return receiver.fail(http2.PROTOCOL_ERROR, ITSELF);
  state.blockEnds = (frame.flags & http2.END_STREAM) !== 0;
  return takeBlock(state, fields.subarray(skip));
};

const takeBlock = (state: State, bytes: Buffer): boolean => {
  const { around, decoder, frame, headerBlock, receiver } = state;
  const last = (frame.flags & http2.END_HEADERS) !== 0;
  const block = headerBlock.take(bytes, last);
  if (block === "too large") return receiver.fail(http2.ENHANCE_YOUR_CALM, "a header block that is too large");
  around.blockOf = block === undefined ? frame.stream : 0;
  if (block === undefined) return true;
  const decoded = decoder.decode(block);
  if (decoded === undefined) return receiver.fail(http2.COMPRESSION_ERROR, "a header block is damaged");
  return receiver.onHeaders(frame.stream, decoded.tooLarge ? undefined : decoded.headers, state.blockEnds);
};
