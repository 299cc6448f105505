/** The connections to one pod, whichever protocol a request is of. */
import type { PodClient, PodPlace } from "../fleet.ts";
import { createGrpcPool } from "./grpc-pool.ts";
import { createPool } from "./http1-pool.ts";

export const createPodClient = ({ host, httpPort, grpcPort }: PodPlace, now: () => number): PodClient => {
  const http = createPool({ host, port: httpPort }, now);
  const grpc = createGrpcPool({ host, port: grpcPort }, now);
  return {
    send: (message, events) => (message.protocol === "grpc" ? grpc : http).send(message, events),
    sweep: (time) => {
      http.sweep(time);
      grpc.sweep(time);
    },
    retire: () => {
      http.retire();
      grpc.retire();
    },
  };
};
