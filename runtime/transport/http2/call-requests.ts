/** How a call begins, and the side of it that asks. */

import { deliver } from "./call-answers.ts";
import { type CallsState, isOpen, leave, type OpenCall, remove, reset } from "./call-state.ts";
import type { Call, CallEvents } from "./client-types.ts";
import type { Header } from "./header-table.ts";
import { STREAM_WINDOW } from "./intake.ts";
import { emptyQueue, outgoingOf } from "./outbox.ts";
import * as http2 from "./protocol.ts";

/** From here on who writes a body is told to wait, in bytes. */
const MOST_QUEUED = 64 * 1024;
const NOTHING = Buffer.alloc(0);

export const add = (state: CallsState, headers: readonly Header[], events: CallEvents): Call => {
  const call: OpenCall = {
    ...{ events, headers, isHead: headers.some(([name, value]) => name === ":method" && value === "HEAD") },
    ...{ out: undefined, inflow: state.host.intake.open(STREAM_WINDOW), sent: false, status: 0, expected: undefined },
    ...{ received: 0, held: emptyQueue(), heldEnd: undefined, delivering: false },
  };
  state.waiting.add(call);
  return sideOf(state, call);
};

/** Sends the header of one that has waited. */
export const begin = (state: CallsState, call: OpenCall): void => {
  const { encoder, outbox, server } = state.host;
  state.lastId += state.lastId === 0 ? 1 : 2;
  state.waiting.delete(call);
  const out = outgoingOf(state.lastId, server.initialWindow, () => call.events?.drained());
  out.ended = () => {
    call.sent = true;
  };
  call.out = out;
  state.open.set(out.id, call);
  outbox.headers(out.id, encoder.encode(call.headers), 0);
  call.headers = [];
  call.events?.begun();
};

const sideOf = (state: CallsState, call: OpenCall): Call => {
  const { outbox } = state.host;
  return {
    write(piece) {
      const { out, sent } = call;
      if (out === undefined || sent || !isOpen(state, call, out)) return true;
      outbox.data(out, [piece]);
      return out.queued < MOST_QUEUED;
    },
    end() {
      const { out, sent } = call;
      if (out === undefined || sent || !isOpen(state, call, out) || out.trailers !== undefined) return;
      outbox.trailers(out, () => NOTHING);
    },
    pause() {
      call.inflow.paused = true;
    },
    resume: () => resume(state, call),
    abort: () => abort(state, call),
  };
};

const resume = (state: CallsState, call: OpenCall): void => {
  if (!call.inflow.paused) return;
  call.inflow.paused = false;
  if (call.delivering || call.events === undefined) return;
  // who resumes may be in the middle of something
  call.delivering = true;
  process.nextTick(deliver, state, call);
};

const abort = (state: CallsState, call: OpenCall): void => {
  if (leave(state, call) === undefined) return;
  const { out } = call;
  if (out !== undefined && isOpen(state, call, out)) reset(state, out.id, http2.CANCEL);
  else remove(state, call);
};
