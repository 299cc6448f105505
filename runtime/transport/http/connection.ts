import type { Socket } from "node:net";
import { evicted, isBrisk } from "../../memory/shares.ts";
import { beginLinger, type Linger } from "./connection-state.ts";
import { countDuration, countStatus } from "./counters.ts";
import { createHandling } from "./handling.ts";
import type { Head } from "./head.ts";
import { linesOf, pack } from "./packing.ts";
import { createReader } from "./reader.ts";
import { Refusal } from "./refusal.ts";
import { byteLength, CONTINUE, encodeHead, errorResponse, jsonError, writeAnswer } from "./response.ts";
import type { Shared } from "./shared.ts";
import { MIN_BYTES_PER_MS } from "./times.ts";
import type { HttpResponse } from "./types.ts";
import { createUnsent } from "./unsent.ts";

/** One past its age that has been idle for less may be just about to carry a request, and the next answer will end it. */
const AGED_IDLE_MS = 5000;
const PROBE_AGAIN_MS = 20;

const serverFailed = () => jsonError(500, "the server failed; its log says why");

export type Connection = {
  /** Ends what has outlived its time. */
  sweep(now: number): void;
  /** Closes it if nothing has been heard of it since `time` and it owes no answer. */
  closeIdleSince(time: number): void;
  /** Since when it has nothing to do; undefined while it has. */
  idleSince(): number | undefined;
  destroy(): void;
};

/**
 * head, body: reading; busy: the answer is awaited; writing: the client has not taken its answer yet, and is not read
 * meanwhile; linger: closed for writing, see `beginLinger`.
 */
type State = "head" | "body" | "busy" | "writing" | "linger";

/** Serves one connection, a request at a time. @param socket paused @param expires when it is too old */
export const serveConnection = (socket: Socket, shared: Shared, expires: number): Connection => {
  const { counters, times } = shared;
  const gate = shared.pace(socket);
  const lease = shared.nextIncoming().lease((heldMs) => {
    if (state !== "body" || isBrisk(reader.received(), heldMs)) return false;
    answerFailed(evicted(), true);
    return true;
  });
  const unsent = createUnsent(socket, shared);
  const reader = createReader(shared.maxBodyBytes, lease);
  let state: State = "head";
  let now = shared.now();
  let active = now;
  // one that never says anything has less time than one between two requests
  let deadline = now + times.headerMs;
  /** The header is partly there: `deadline` is its. */
  let inHead = false;
  let lingering: Linger | undefined;
  /** The client has closed its side; it may still wait for answers. */
  let ended = false;
  let gone = false;
  let advancing = false;

  let head: Head | undefined;
  let started = 0;

  /** Reads and answers as far as what has come goes. */
  const advance = (): void => {
    if (advancing || gone) return;
    advancing = true;
    try {
      while (state === "head" || state === "body") {
        if (state === "head") {
          head = reader.head();
          if (head === undefined) {
            awaitHead();
            break;
          }
          begin(head);
        } else {
          const body = reader.body();
          if (body === undefined) {
            awaitBody();
            break;
          }
          dispatch(body);
        }
      }
    } catch (error) {
      answerError(error, true);
    }
    advancing = false;
  };

  const awaitHead = (): void => {
    const partial = reader.pending() > 0;
    if (ended) {
      if (partial) throw new Refusal(400, "the request ended in its header");
      linger();
    } else if (!partial) {
      inHead = false;
      deadline = now + times.idleMs;
    } else if (!inHead) {
      inHead = true;
      deadline = now + times.headerMs;
    }
  };

  const awaitBody = (): void => {
    if (ended) throw new Refusal(400, "the request ended in its body");
    if (head?.expectContinue === true && reader.received() === 0) {
      socket.write(CONTINUE);
      head.expectContinue = false;
    }
    deadline = started + times.transferMs + reader.received() / MIN_BYTES_PER_MS;
  };

  /** The head is there: what need not wait for the body is answered at once. */
  const begin = (found: Head): void => {
    inHead = false;
    started = now;
    counters.inFlight++;
    state = "body";
    const early = handling.begin(found);
    if (early !== undefined) answer(early, false);
  };

  const dispatch = (body: Buffer): void => {
    if (head === undefined) return;
    state = "busy";
    deadline = Number.POSITIVE_INFINITY;
    handling.run(head, body);
  };

  const answerOk = (response: HttpResponse): void => {
    if (gone) return;
    now = shared.now();
    answer(response, false);
  };
  const answerFailed = (error: unknown, close: boolean): void => {
    if (gone) return;
    now = shared.now();
    answerError(error, close);
  };
  const handling = createHandling(shared, lease, {
    answered: answerOk,
    failed: (error) => answerFailed(error, false),
  });

  const answerError = (error: unknown, close: boolean): void => {
    if (gone) return;
    const known = errorResponse(error);
    if (known === undefined) shared.logError(error);
    answer(known ?? serverFailed(), close);
  };

  const answer = (response: HttpResponse, mustClose: boolean): void => {
    if (state === "linger" || state === "writing") return;
    // A body that was not read to its end would be taken for the next request.
    const close = mustClose || (state === "body" && !reader.skipBody());
    state = "busy";
    deadline = Number.POSITIVE_INFINITY;
    const length = byteLength(response.parts);
    const packing = pack(response, length, head);
    if (packing === undefined) {
      release(response, length, close);
      return;
    }
    packing.then(
      (packed) => {
        now = shared.now();
        release(packed.response, packed.length, close);
      },
      () => release(response, length, close),
    );
  };

  const release = (response: HttpResponse, length: number, close: boolean): void => {
    if (shared.held === undefined) send(response, length, close);
    else shared.held.push(() => send(response, length, close));
  };

  const send = (response: HttpResponse, length: number, mustClose: boolean): void => {
    if (gone) return;
    const close = mustClose || head === undefined || !head.keepAlive || shared.closing || now >= expires;
    const parts = head?.method === "HEAD" ? [] : response.parts;
    let text: string;
    try {
      text = encodeHead(response, length, linesOf(response, head, shared, close, now));
    } catch (error) {
      shared.logError(error);
      const failed = serverFailed();
      send(failed, byteLength(failed.parts), true);
      return;
    }
    const bodyLength = parts.length === 0 ? 0 : length;
    try {
      unsent.before(bodyLength);
    } catch (error) {
      const refused = errorResponse(error) ?? serverFailed();
      send(refused, byteLength(refused.parts), mustClose);
      return;
    }
    const flushed = writeAnswer(socket, text, parts, bodyLength);
    unsent.after(bodyLength, flushed);
    countStatus(counters, response.status);
    if (head !== undefined) {
      counters.inFlight--;
      if (head.method === "POST") countDuration(counters, (now - started) / 1000);
    }
    shared.lastActivity = active = now;
    lease.release();
    head = undefined;
    handling.done();
    if (close) linger();
    else if (flushed) {
      state = "head";
      if (reader.pending() === 0 && !ended) deadline = now + times.idleMs;
      else if (!advancing) advance();
      gate.resume();
    } else {
      state = "writing";
      deadline = now + times.transferMs + length / MIN_BYTES_PER_MS;
      gate.pause();
    }
  };

  const linger = (): void => {
    state = "linger";
    reader.drop();
    lingering = beginLinger(socket, times, shared.now, unsent.release);
    gate.resume();
  };

  /**
   * The client has closed its side: all of it, or only for writing? A byte tells, because a connection that is gone is
   * reset by it. The reset is seen when the next one is written.
   */
  const probe = (): void => {
    if (state === "busy" && !gone && head?.http10 === false) socket.write(CONTINUE);
  };

  socket.on("data", (chunk: Buffer) => {
    now = active = shared.now();
    gate.read(chunk.length);
    if (lingering !== undefined) {
      lingering.heard(now);
      return;
    }
    reader.feed(chunk);
    if (state === "head" || state === "body") advance();
    // the next request can wait in the kernel
    else gate.pause();
  });
  socket.on("end", () => {
    now = active = shared.now();
    ended = true;
    if (state === "busy") {
      probe();
      setTimeout(probe, PROBE_AGAIN_MS).unref();
    } else if (state !== "linger") advance();
  });
  socket.on("drain", () => {
    unsent.release();
    if (state !== "writing") return;
    now = active = shared.now();
    state = "head";
    deadline = now + times.idleMs;
    advance();
    gate.resume();
  });
  socket.on("error", () => undefined);
  socket.once("close", () => {
    gone = true;
    gate.close();
    if (head !== undefined) {
      counters.inFlight--;
      countStatus(counters, 499);
    }
    lease.end();
    unsent.end();
    head = undefined;
    handling.leave();
  });

  gate.resume();
  return {
    sweep(time) {
      now = time;
      if (ended) probe();
      const idle = state === "head" && !inHead;
      if (idle && now > expires && now - active > AGED_IDLE_MS) socket.destroy();
      // what waits for its turn is not late
      if (now < (lingering?.deadline() ?? deadline) || gate.waits()) return;
      if (idle || state === "writing" || state === "linger") socket.destroy();
      else answerError(new Refusal(408, `the ${state === "head" ? "header" : "body"} took too long to arrive`), true);
    },
    idleSince: () => (state === "head" && !inHead && !gate.waits() ? active : undefined),
    closeIdleSince(time) {
      if (gate.waits() || active >= time || socket.writableLength > 0) return;
      if (state === "head" || state === "linger") socket.destroy();
    },
    destroy: () => socket.destroy(),
  };
};
