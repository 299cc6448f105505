/** A decision for people. Pure. */
import type { Decision } from "./decide.ts";

const number = (value: number): string =>
  value < 10 ? String(Math.round(value * 10) / 10) : String(Math.round(value));

/** `80 requests a second, 5 on a pod; 900 will wait when a new pod is ready, in 60 s` */
export const inWords = ({ backlog, rate, startSeconds, throughput, why }: Decision): string => {
  const load = `${number(rate)} requests a second, and a pod handles ${number(throughput)}`;
  return why === "backlog"
    ? `${load}; without more pods ${number(backlog)} would wait for the ${number(startSeconds)} s that a pod takes to start`
    : load;
};
