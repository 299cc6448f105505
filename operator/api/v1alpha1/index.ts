/** The API of Berth, as the rest of the operator imports it. */
export * from "./bounded.ts";
export * from "./bytes.ts";
export * from "./conditions.ts";
export * from "./cores.ts";
export * from "./defaults.ts";
export * from "./duration.ts";
export * from "./effective.ts";
export { DENIED_ENV } from "./env.ts";
export * from "./labels.ts";
export * from "./model-deployment.ts";
export * from "./model-rollout.ts";
export * from "./names.ts";
export * from "./pod-contract.ts";
export * from "./quantity.ts";
export * from "./reasons.ts";
export * from "./spec.ts";
export * from "./status.ts";
export * from "./tolerance.ts";
