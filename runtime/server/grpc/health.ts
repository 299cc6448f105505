import { type handleUnaryCall, type ServerWritableStream, status } from "@grpc/grpc-js";
import type { GrpcService } from "./types.ts";

type Request = { service: string };
type Watcher = ServerWritableStream<Request, { status: string }>;

export type Health = {
  service: GrpcService;
  /** Of every name at once: watchers are told. */
  setServing(serving: boolean): void;
  /** Ends the streams of those who watch, which would never end by themselves. */
  endWatches(): void;
};

/**
 * grpc.health.v1. The package grpc-health-check is not used: it keeps the name of every service that a client ever watched,
 * cannot end watches, and brings a second copy of protobufjs, which costs 30 ms at the start.
 * @param names the services that are known, besides "" for the server as a whole
 */
export const createHealth = (names: readonly string[]): Health => {
  const known = new Set(["", ...names]);
  const watchers = new Set<Watcher>();
  let serving = false;
  const current = () => ({ status: serving ? "SERVING" : "NOT_SERVING" });

  const check: handleUnaryCall<Request, object> = ({ request }, callback) => {
    if (known.has(request.service)) callback(null, current());
    else callback({ code: status.NOT_FOUND, details: "the service is unknown; List names those that are here" });
  };
  const list: handleUnaryCall<object, object> = (_call, callback) =>
    callback(null, { statuses: Object.fromEntries([...known].map((name) => [name, current()])) });
  const watch = (call: Watcher): void => {
    const isKnown = known.has(call.request.service);
    call.write(isKnown ? current() : { status: "SERVICE_UNKNOWN" });
    // The names are fixed: nothing will ever be told of one that is unknown.
    watchers.add(call);
    call.once("cancelled", () => watchers.delete(call));
  };

  return {
    service: {
      name: "grpc.health.v1.Health",
      protoFiles: [new URL("health.proto", import.meta.url)],
      implementation: { Check: check, List: list, Watch: watch },
    },
    setServing: (value) => {
      if (value === serving) return;
      serving = value;
      for (const call of watchers) if (known.has(call.request.service)) call.write(current());
    },
    endWatches: () => {
      const error = Object.assign(new Error("the server is going away"), { code: status.UNAVAILABLE });
      for (const call of watchers) call.emit("error", error);
    },
  };
};
