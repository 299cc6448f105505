/** HTTP/2 (RFC 9113) without TLS, as a client: of pods, which Berth's router sends calls to. `client-calls.ts` has its calls. */
import type { Socket } from "node:net";
import { IDLE_FRAMES, LINGER_MS, MOST_UNSENT_BYTES } from "./bounds.ts";
import { createCalls } from "./client-calls.ts";
import type { CallFailure, Client, ClientOptions } from "./client-types.ts";
import { createControl } from "./control.ts";
import { listBytes } from "./field-rules.ts";
import { createHeaderEncoder, REPEATED_BY_CALLS } from "./header-encoder.ts";
import { createIncoming } from "./incoming.ts";
import { CONNECTION_WINDOW, createIntake, STREAM_WINDOW } from "./intake.ts";
import { createOutbox } from "./outbox.ts";
import { PREFACE } from "./preface.ts";
import * as http2 from "./protocol.ts";
import { createRate } from "./rate.ts";
import { defaultPeerSettings, followSettings, writeSettings } from "./settings.ts";
import { createFrameWriter } from "./writer.ts";

const PING = Buffer.from("alive...");
/** What a server makes of a header is for it to say; one that is longer than this no server takes, and it may end the connection. */
const MOST_HEADER_BYTES = 64 * 1024;

/** Speaks on a socket that is being connected; who has made it reads it, and gives what comes to `read`. */
export const createHttp2Client = (socket: Socket, options: ClientOptions): Client => {
  const { headLimits, mostCalls, now } = options;
  const writer = createFrameWriter(socket);
  const control = createControl(writer);
  const outbox = createOutbox(writer);
  const intake = createIntake(control);
  const encoder = createHeaderEncoder(REPEATED_BY_CALLS);
  const server = defaultPeerSettings();
  const mayIdle = createRate(IDLE_FRAMES);
  let connected = false;
  let over = false;
  /** The server takes no more calls here. */
  let leaving = false;
  let scheduled = false;
  let lingering: NodeJS.Timeout | undefined;

  /** Nothing more is sent or read; what is under way fails. */
  const end = (kind: CallFailure["kind"], reason: string): void => {
    if (over) return;
    over = true;
    writer.close();
    if (connected) {
      socket.destroySoon();
      // whoever takes nothing any more does not take the last word either
      lingering = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    } else socket.destroy();
    calls.failAll({ kind: connected ? kind : "unreachable", reason });
  };
  const leave = (code: number, reason: string): void => {
    if (over) return;
    if (connected) control.goAway(0, code, reason);
    end("broken", reason);
  };
  /** It has broken a rule: the connection cannot go on. */
  const fail = (code: number, reason: string): false => {
    leave(code, `it does not keep to HTTP/2: ${reason}`);
    return false;
  };
  const idle = (): boolean => mayIdle(now()) || fail(http2.ENHANCE_YOUR_CALM, "too many frames that move nothing");

  const calls = createCalls({
    ...{ control, outbox, intake, encoder, server, headLimits, fail, idle, moved: options.moved },
    most: () => most(),
    gone: () => {
      if (over) return;
      if (calls.size > 0) schedule();
      else if (leaving) leave(http2.NO_ERROR, "");
      else options.idle();
    },
  });

  /** Until it has said how many it takes, there is one: those that are too many would be refused, which they may be only once. */
  const most = (): number => (incoming.isSettled() ? server.concurrentStreams : 1);
  const begin = (): void => {
    scheduled = false;
    if (connected && !over && !leaving) calls.begin();
  };
  /**
   * Calls begin when all that has come in this turn was read: a server that has said in it that it leaves is sent none, and those of
   * one turn go out together.
   */
  const schedule = (): void => {
    if (scheduled || !connected) return;
    scheduled = true;
    setImmediate(begin);
  };

  const onSettings = (payload: Buffer): boolean => {
    const widenAll = (bytes: number): boolean => {
      options.settled(server.concurrentStreams);
      return calls.widenAll(bytes);
    };
    const fault = followSettings(payload, { settings: server, control, encoder, outbox, widenAll });
    if (fault !== undefined) return fail(fault.code, fault.reason);
    schedule();
    return idle();
  };
  const onGoAway = (last: number, code: number, text: string): boolean => {
    leaving = true;
    const why = text === "" ? "" : ` (${text.replace(/[^ -~]/g, "?")})`;
    const reason = code === http2.NO_ERROR ? "it takes no more calls" : `it has ended with code ${code}${why}`;
    calls.refuseAbove(last, reason);
    if (code !== http2.NO_ERROR) end("broken", reason);
    else if (calls.size === 0) leave(http2.NO_ERROR, "");
    return !over && idle();
  };
  const incoming = createIncoming({
    ...{ client: "we", listBytes: headLimits.bytes, lastId: calls.lastId, window: intake.window, fail, idle },
    ...{ beginData: calls.beginData, onData: calls.onData, onHeaders: calls.onHeaders },
    ...{ onReset: calls.onReset, onWindowUpdate: calls.onWindowUpdate, onSettings, onGoAway },
    onPing: (isAnswer, payload) => {
      if (isAnswer) options.ponged();
      else control.ping(http2.ACK, payload);
      return idle();
    },
    frameEnded: () => undefined,
  });

  socket.once("connect", () => {
    connected = true;
    writer.push(PREFACE);
    writer.push(writeSettings({ push: false, window: STREAM_WINDOW, headerListBytes: headLimits.bytes }));
    control.windowUpdate(0, CONNECTION_WINDOW - http2.DEFAULT_WINDOW);
    begin();
  });
  socket.on("drain", () => {
    if (socket.isPaused()) socket.resume();
    outbox.resume();
  });
  socket.on("error", (error) => end("broken", error.message));
  socket.once("end", () => end("broken", "it has closed the connection"));
  socket.once("close", () => {
    end("broken", "the connection was closed");
    clearTimeout(lingering);
    options.closed();
  });

  return {
    call: (headers, events) => {
      if (listBytes(headers) > Math.min(MOST_HEADER_BYTES, server.headerListBytes)) return undefined;
      const call = calls.add(headers, events);
      schedule();
      return call;
    },
    read: (chunk) => {
      if (over) return true;
      incoming.read(chunk);
      const isTaken = calls.flush();
      if (!over && writer.unsent() > MOST_UNSENT_BYTES) socket.pause();
      return isTaken;
    },
    ping: () => control.ping(0, PING),
    calls: () => calls.size,
    isOpen: () => !over && !leaving && !calls.isFull() && calls.size < (incoming.isSettled() ? most() : mostCalls),
    isConnected: () => connected && !over,
    close: (reason) => leave(http2.NO_ERROR, reason),
  };
};
