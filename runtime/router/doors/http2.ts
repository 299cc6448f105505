/** A client's connection over HTTP/2: gRPC, and whatever else speaks it. */
import type { Socket } from "node:net";
import { YOUNG_MS } from "../../memory/room.ts";
import { CLIENT_LIMITS } from "../../transport/http/request-rules.ts";
import { serveHttp2 } from "../../transport/http2/index.ts";
import type { Gate } from "../../transport/pace.ts";
import { fieldsToPod, senderOf } from "../forwarded.ts";
import type { ClientConnection, Door } from "./door.ts";
import { fieldsOf, isGrpc } from "./http2-request.ts";
import { type Connection, serveStream } from "./http2-stream.ts";
import { createAmount, createReservation } from "./reservation.ts";

const OPTIONS = {
  headLimits: CLIENT_LIMITS,
  maxConcurrentStreams: 256,
  // what a call may send that nobody takes yet
  firstWindow: 65_535,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
};
/** What was written and not taken is not counted up to here: it is on its way, as a rule. */
const UNCOUNTED_BYTES = 16 * 1024;

export const serveClientHttp2 = (socket: Socket, gate: Gate, door: Door): ClientConnection => {
  const { kept, now } = door;
  const sender = senderOf(socket, door.isTrusted, "2");
  const calls: Connection["calls"] = new Set();
  /** Since when the kernel has taken nothing; Infinity while it does. */
  let stuckSince = Number.POSITIVE_INFINITY;
  const evict = (): boolean => {
    const time = now();
    if (time - stuckSince >= YOUNG_MS) {
      socket.destroy();
      return true;
    }
    for (const call of calls) if (call.evict(time)) return true;
    return false;
  };
  const reservation = createReservation(kept.nextShare(), evict);
  const untaken = createAmount(reservation);
  const settle = (): boolean => {
    const waiting = connection.waiting();
    return untaken.set(waiting > UNCOUNTED_BYTES ? waiting : 0);
  };
  const common: Connection = {
    ...{ door, reservation, calls, settle },
    client: { address: sender.address, streams: 0 },
    message: (head, body) => {
      const { headers, method, path } = head;
      const fields = fieldsToPod(fieldsOf(head), sender);
      return { protocol: isGrpc(headers) ? "grpc" : "http", method, target: path, fields, body };
    },
  };
  const connection = serveHttp2(socket, { ...OPTIONS, gate, now }, (head, stream) => serveStream(head, stream, common));
  socket.once("close", reservation.end);
  return {
    ...connection,
    sweep: (time) => {
      connection.sweep(time);
      if (!settle()) socket.destroy();
      if (!socket.writableNeedDrain) stuckSince = Number.POSITIVE_INFINITY;
      else if (stuckSince === Number.POSITIVE_INFINITY) stuckSince = time;
    },
  };
};
