import type { Dispatcher } from "undici";
import { KubeError, NOT_LEADING } from "./errors.ts";

/**
 * Ends a request that must not be sent: asked when a connection is free and the first byte is about to leave. Whatever a request has
 * waited for before (its turn, credentials, a connection, a try that failed) may have lasted, and so may a pause of the whole process.
 */
export const fence =
  (mayWrite: () => boolean): Dispatcher.DispatcherComposeInterceptor =>
  (dispatch) =>
  (options, handler) =>
    dispatch(options, {
      onRequestStart(controller, context) {
        handler.onRequestStart?.(controller, context);
        if (!mayWrite()) controller.abort(notLeading());
      },
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData: (...args) => handler.onResponseData?.(...args),
      onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
      onResponseError: (...args) => handler.onResponseError?.(...args),
    });

/** Another process may be leading by now. */
export const notLeading = (): KubeError =>
  new KubeError("not written: this process does not hold the lease", { kind: "retryable", reason: NOT_LEADING });
