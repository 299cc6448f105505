import { CallError, STATUS } from "./status.ts";
import type { GrpcService, StreamCall, StreamMethod, UnaryMethod } from "./types.ts";

const LEAVING = "the server is going away";

type Request = { service: string };

export type Health = {
  service: GrpcService;
  /** Of every name at once: watchers are told. */
  setServing(serving: boolean): void;
  /** Ends the streams of those who watch, which would never end by themselves. */
  endWatches(): void;
};

/**
 * grpc.health.v1.
 * @param names the services that are known, besides "" for the server as a whole
 */
export const createHealth = (names: readonly string[]): Health => {
  const known = new Set(["", ...names]);
  const watchers = new Map<StreamCall, string>();
  let serving = false;
  let leaving = false;
  const current = () => ({ status: serving ? "SERVING" : "NOT_SERVING" });

  const check: UnaryMethod<Request> = {
    answer: ({ service }) => {
      if (known.has(service)) return current();
      throw new CallError(STATUS.NOT_FOUND, "the service is unknown; List names the known ones");
    },
  };
  const list: UnaryMethod = {
    answer: () => ({ statuses: Object.fromEntries([...known].map((name) => [name, current()])) }),
  };
  const watch: StreamMethod<Request> = {
    open: (call) => ({
      message: ({ service }) => {
        if (watchers.has(call))
          throw new CallError(STATUS.INVALID_ARGUMENT, "Watch takes one message, and the call has more");
        if (leaving) throw new CallError(STATUS.UNAVAILABLE, LEAVING);
        watchers.set(call, service);
        // The names are fixed: nothing will ever be told of one that is unknown.
        call.write(known.has(service) ? current() : { status: "SERVICE_UNKNOWN" });
      },
      cancelled: () => watchers.delete(call),
    }),
  };

  return {
    service: {
      name: "grpc.health.v1.Health",
      protoFiles: [new URL("health.proto", import.meta.url)],
      methods: { Check: check, List: list, Watch: watch },
    },
    setServing: (value) => {
      if (value === serving) return;
      serving = value;
      for (const [call, service] of watchers) if (known.has(service)) call.write(current());
    },
    endWatches: () => {
      leaving = true;
      for (const call of watchers.keys()) call.fail({ code: STATUS.UNAVAILABLE, details: LEAVING });
      watchers.clear();
    },
  };
};
