import type { LoadedMessage, ReadyMessage } from "./messages.ts";
import type { ServeOptions } from "./options.ts";
import type { Snapshot } from "./snapshot.ts";

/** What the supervisor itself knows of the server. */
export type Known = {
  options: ServeOptions;
  serverVersion: string;
  /** SHA-256 of the model's file, in hexadecimal; undefined until it is computed. */
  digest: string | undefined;
  loaded: LoadedMessage | undefined;
  ready: ReadyMessage | undefined;
  /** Why requests are not wanted now. */
  notReady: string | undefined;
  shardRestarts: number;
  readyShards: number;
};

/** The answer of /statusz: for people, and for the operator. */
export const statusReport = (known: Known, snapshot: Snapshot | undefined): object => {
  const { options, loaded, ready, notReady, digest } = known;
  return {
    model: {
      name: options.name,
      version: options.modelVersion,
      file: options.model,
      ...(digest === undefined ? {} : { digest: `sha256:${digest}` }),
    },
    executionProvider: options.executionProvider,
    ready: notReady === undefined,
    ...(notReady === undefined ? {} : { reason: notReady }),
    serverVersion: known.serverVersion,
    shards: {
      ready: known.readyShards,
      wanted: loaded?.shards ?? options.shards ?? null,
      restarts: known.shardRestarts,
      sharedWeights: loaded?.sharedWeights ?? null,
    },
    ...(ready === undefined
      ? {}
      : { warmUp: ready.warmUp, warmUpSeconds: ready.warmUpSeconds, inputs: ready.inputs, outputs: ready.outputs }),
    ...(snapshot === undefined ? {} : load(snapshot)),
  };
};

/** Times in milliseconds; a run of n items is expected to take `each` + n × `perItem`. */
const load = ({ scheduler, http, grpc, memory, longestTurnMs }: Snapshot): object => ({
  batching: { ...scheduler.batching, checks: scheduler.checks },
  queue: { requests: scheduler.queued, bytes: scheduler.queuedBytes },
  waitingBytes: memory,
  longestTurnMs,
  inFlight: scheduler.inFlight,
  runs: scheduler.running,
  serviceTimeMs:
    scheduler.serviceTime === undefined ? null : { each: scheduler.serviceTime.a, perItem: scheduler.serviceTime.b },
  connections: { http: http.connections, grpc: grpc.connections },
});
