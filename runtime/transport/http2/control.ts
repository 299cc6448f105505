import { frameOf } from "./frames.ts";
import * as http2 from "./protocol.ts";
import type { FrameWriter } from "./writer.ts";

/** Sends the frames that carry no part of a request or an answer. */
export type Control = {
  settings(flags: number): void;
  /** The other side may send so many bytes more, on the stream `id`, or on the connection where that is 0. */
  windowUpdate(id: number, bytes: number): void;
  reset(id: number, code: number): void;
  ping(flags: number, payload: Buffer): void;
  /** `last`: the last stream that is served. */
  goAway(last: number, code: number, reason: string): void;
};

export const createControl = (writer: FrameWriter): Control => {
  const send = (type: number, flags: number, id: number, payload: Buffer): void =>
    writer.push(frameOf(type, flags, id, payload));
  const sendNumber = (type: number, id: number, value: number): void => {
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(value);
    send(type, 0, id, payload);
  };
  return {
    settings: (flags) => send(http2.SETTINGS, flags, 0, Buffer.alloc(0)),
    windowUpdate: (id, bytes) => sendNumber(http2.WINDOW_UPDATE, id, bytes),
    reset: (id, code) => sendNumber(http2.RST_STREAM, id, code),
    ping: (flags, payload) => send(http2.PING, flags, 0, payload),
    goAway: (last, code, reason) => {
      const payload = Buffer.alloc(8 + reason.length);
      payload.writeUInt32BE(last);
      payload.writeUInt32BE(code, 4);
      payload.write(reason, 8, "latin1");
      send(http2.GOAWAY, 0, 0, payload);
    },
  };
};
