import type { Control } from "./control.ts";
import { HEAD_BYTES, writeHead } from "./frames.ts";
import type { HeaderEncoder } from "./header-encoder.ts";
import type { Outbox } from "./outbox.ts";
import {
  ACK,
  DEFAULT_WINDOW,
  type Fault,
  FLOW_CONTROL_ERROR,
  FRAME_BYTES,
  FRAME_SIZE_ERROR,
  MOST_WINDOW,
  PROTOCOL_ERROR,
  SETTINGS,
} from "./protocol.ts";

const HEADER_TABLE_SIZE = 1;
const ENABLE_PUSH = 2;
const MAX_CONCURRENT_STREAMS = 3;
const INITIAL_WINDOW_SIZE = 4;
const MAX_FRAME_SIZE = 5;
const MAX_HEADER_LIST_SIZE = 6;

/** What the other side has told of itself, of that which matters here. */
export type PeerSettings = {
  /** The smallest that it has ever asked for: a table that was made smaller once is not used again. */
  headerTableBytes: number;
  initialWindow: number;
  frameBytes: number;
  /** Streams that we may have open at a time. */
  concurrentStreams: number;
  /** Of our headers. */
  headerListBytes: number;
};

export const defaultPeerSettings = (): PeerSettings => ({
  headerTableBytes: 4096,
  initialWindow: DEFAULT_WINDOW,
  frameBytes: FRAME_BYTES,
  concurrentStreams: Number.POSITIVE_INFINITY,
  headerListBytes: Number.POSITIVE_INFINITY,
});

/** Takes what a SETTINGS frame says over into `settings`; or what is wrong with it. */
export const readSettings = (payload: Buffer, settings: PeerSettings): Fault | undefined => {
  if (payload.length % 6 !== 0)
    return { code: FRAME_SIZE_ERROR, reason: "SETTINGS of a length that is no multiple of 6" };
  for (let at = 0; at < payload.length; at += 6) {
    const name = payload.readUInt16BE(at);
    const value = payload.readUInt32BE(at + 2);
    if (name === HEADER_TABLE_SIZE) settings.headerTableBytes = Math.min(settings.headerTableBytes, value);
    else if (name === ENABLE_PUSH && value > 1)
      return { code: PROTOCOL_ERROR, reason: "ENABLE_PUSH is neither 0 nor 1" };
    else if (name === INITIAL_WINDOW_SIZE) {
      if (value > MOST_WINDOW) return { code: FLOW_CONTROL_ERROR, reason: "INITIAL_WINDOW_SIZE is above 2^31-1" };
      settings.initialWindow = value;
    } else if (name === MAX_CONCURRENT_STREAMS) settings.concurrentStreams = value;
    else if (name === MAX_HEADER_LIST_SIZE) settings.headerListBytes = value;
    else if (name === MAX_FRAME_SIZE) {
      if (value < FRAME_BYTES || value >= 2 ** 24) {
        return { code: PROTOCOL_ERROR, reason: "MAX_FRAME_SIZE is not between 2^14 and 2^24-1" };
      }
      settings.frameBytes = value;
    }
  }
  return undefined;
};

/** What of a connection goes by the other side's settings. */
type Ruled = {
  settings: PeerSettings;
  control: Pick<Control, "settings">;
  encoder: Pick<HeaderEncoder, "resize">;
  outbox: Pick<Outbox, "setFrameBytes">;
  /** Makes the windows of all streams so much larger. False where one would be too large. */
  widenAll(bytes: number): boolean;
};

/** Takes a SETTINGS frame over, acknowledges it, and goes by it; or what is wrong with it. */
export const followSettings = (
  payload: Buffer,
  { control, encoder, outbox, settings, widenAll }: Ruled,
): Fault | undefined => {
  const before = settings.initialWindow;
  const fault = readSettings(payload, settings);
  if (fault !== undefined) return fault;
  control.settings(ACK);
  encoder.resize(settings.headerTableBytes);
  outbox.setFrameBytes(settings.frameBytes);
  return widenAll(settings.initialWindow - before)
    ? undefined
    : { code: FLOW_CONTROL_ERROR, reason: "a window above 2^31-1" };
};

/** Our own SETTINGS. `push`: what a client alone can say. `concurrentStreams`: what the other side may open. */
export const writeSettings = (own: {
  push?: false;
  concurrentStreams?: number;
  window: number;
  headerListBytes: number;
}): Buffer => {
  const values: [name: number, value: number][] = [];
  if (own.push === false) values.push([ENABLE_PUSH, 0]);
  if (own.concurrentStreams !== undefined) values.push([MAX_CONCURRENT_STREAMS, own.concurrentStreams]);
  values.push([INITIAL_WINDOW_SIZE, own.window], [MAX_HEADER_LIST_SIZE, own.headerListBytes]);
  const frame = Buffer.alloc(HEAD_BYTES + values.length * 6);
  writeHead(frame, 0, values.length * 6, SETTINGS, 0, 0);
  for (const [i, [name, value]] of values.entries()) {
    frame.writeUInt16BE(name, HEAD_BYTES + i * 6);
    frame.writeUInt32BE(value, HEAD_BYTES + i * 6 + 2);
  }
  return frame;
};
