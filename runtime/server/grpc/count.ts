import {
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import { statusOf } from "./status.ts";

/** How the calls of one method ended; `codes[n]` have the gRPC status n. */
export type Calls = { method: string; inFlight: number; codes: number[] };

export const callsOf = (method: string): Calls => ({ method, inFlight: 0, codes: new Array<number>(17).fill(0) });

type Definition = { requestStream: boolean; responseStream: boolean };

/** The same handler, counted; what it throws becomes a status. */
export const counted = (
  handler: UntypedHandleCall,
  definition: Definition,
  calls: Calls,
  report: (error: unknown) => void,
): UntypedHandleCall =>
  isUnary(handler, definition) ? countedUnary(handler, calls, report) : countedStream(handler, calls, report);

const isUnary = (_handler: UntypedHandleCall, definition: Definition): _handler is handleUnaryCall<unknown, unknown> =>
  !definition.requestStream && !definition.responseStream;

const countedUnary =
  (
    handler: handleUnaryCall<unknown, unknown>,
    calls: Calls,
    report: (error: unknown) => void,
  ): handleUnaryCall<unknown, unknown> =>
  (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) => {
    const finish = begin(calls);
    // Comes at the end of every call; before the handler's answer only where nobody waits for that any more.
    call.once("cancelled", () => finish(abandoned(call.getDeadline())));
    try {
      handler(call, (error, value, trailer, flags) => {
        finish(error === null ? status.OK : (error.code ?? status.UNKNOWN));
        callback(error, value, trailer, flags);
      });
    } catch (error) {
      const failure = statusOf(error, report);
      finish(failure.code);
      callback(failure);
    }
  };

const countedStream =
  (handler: UntypedHandleCall, calls: Calls, report: (error: unknown) => void) =>
  (call: ServerDuplexStream<unknown, unknown>): void => {
    const finish = begin(calls);
    call.prependListener("error", (error: { code?: unknown }) =>
      finish(typeof error.code === "number" ? error.code : status.UNKNOWN),
    );
    call.once("cancelled", () => finish(call.writableEnded ? status.OK : abandoned(call.getDeadline())));
    try {
      Reflect.apply(handler, undefined, [call]);
    } catch (error) {
      const failure = statusOf(error, report);
      call.emit("error", Object.assign(new Error(failure.details), failure));
    }
  };

const begin = (calls: Calls): ((code: number) => void) => {
  let open = true;
  calls.inFlight++;
  return (code) => {
    if (!open) return;
    open = false;
    calls.inFlight--;
    const known = code >= 0 && code < calls.codes.length ? code : status.UNKNOWN;
    calls.codes[known] = (calls.codes[known] ?? 0) + 1;
  };
};

const abandoned = (deadline: Date | number): number =>
  Number(deadline) <= Date.now() ? status.DEADLINE_EXCEEDED : status.CANCELLED;
