import type { Socket } from "node:net";
import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";

/** What each connection has read for calls that are open. */
export type OpenCalls = {
  /** Must be given every socket, as it comes. */
  track(socket: Socket): void;
  /** Sees every call, from its headers to its end. */
  interceptor: ServerInterceptor;
  /** What the socket has read since the oldest of its open calls began, in bytes: no more can be held for it. */
  readSince(socket: Socket): number;
};

export const createOpenCalls = (): OpenCalls => {
  /** What the socket had read when each of its open calls began, the oldest first. */
  const starts = new WeakMap<Socket, Set<{ at: number }>>();
  // The interceptor knows no socket, only the peer's name.
  const byPeer = new Map<string, Socket>();
  return {
    track: (socket) => {
      const peer = `${socket.remoteAddress}:${socket.remotePort}`;
      starts.set(socket, new Set());
      byPeer.set(peer, socket);
      socket.once("close", () => {
        // its port may belong to another by now
        if (byPeer.get(peer) === socket) byPeer.delete(peer);
      });
    },
    interceptor: (_method, call) => {
      const socket = byPeer.get(call.getPeer());
      const open = socket === undefined ? undefined : starts.get(socket);
      if (socket === undefined || open === undefined) return new ServerInterceptingCall(call);
      const start = { at: socket.bytesRead };
      open.add(start);
      const onCancel = (): void => {
        open.delete(start);
      };
      // comes at the end of every call, cancelled or not
      return new ServerInterceptingCall(call, { start: (next) => next({ onCancel }) });
    },
    readSince: (socket) => {
      const [oldest] = starts.get(socket) ?? [];
      return oldest === undefined ? 0 : socket.bytesRead - oldest.at;
    },
  };
};
