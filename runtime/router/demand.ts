/** Requests as scaling counts them: clients' own, each once, and no probes. */
import type { Message } from "./message.ts";

/** `arrived` only grows. `crowd`: the most that came within a tenth of a second since somebody last asked. */
export type Demand = { arrived: number; crowd: number; tenth: number; inTenth: number };

export const createDemand = (): Demand => ({ arrived: 0, crowd: 0, tenth: 0, inTenth: 0 });

/** @param now in milliseconds */
export const countArrival = (demand: Demand, now: number): void => {
  const tenth = Math.floor(now / 100);
  if (tenth !== demand.tenth) {
    demand.tenth = tenth;
    demand.inTenth = 0;
  }
  demand.arrived++;
  demand.inTenth++;
  demand.crowd = Math.max(demand.crowd, demand.inTenth);
};

export const takeCrowd = (demand: Demand): number => {
  const { crowd } = demand;
  demand.crowd = 0;
  demand.inTenth = 0;
  return crowd;
};

const HTTP_PROBES = /^\/v2\/(health\/(live|ready)|models\/[^/?]+(\/versions\/[^/?]+)?\/ready)(\?|$)/;
const GRPC_PROBES =
  /^\/(inference\.GRPCInferenceService\/(Server(Live|Ready)|ModelReady)|grpc\.health\.v1\.Health\/(Check|Watch))$/;

/** Asks only whether it could ask something: by load balancers, kubelets and clients that begin. It wakes no model. */
export const isProbe = ({ method, protocol, target }: Message): boolean =>
  protocol === "grpc" ? GRPC_PROBES.test(target) : (method === "GET" || method === "HEAD") && HTTP_PROBES.test(target);
