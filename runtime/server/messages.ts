import { z } from "zod";

// What the supervisor and a shard tell each other. Both sides parse what arrives.

const tensorInfo = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.number().nullable()) });
const warmUp = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("passed"), shapes: z.record(z.string(), z.array(z.number())) }),
  z.object({ outcome: z.literal("unproven"), reason: z.string() }),
]);

export const shardMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("loaded"), loadSeconds: z.number() }),
  z.object({
    type: z.literal("ready"),
    port: z.number(),
    inputs: z.array(tensorInfo),
    outputs: z.array(tensorInfo),
    warmUp,
    warmUpSeconds: z.number(),
  }),
  /** The model cannot be served: starting the shard again would not help. */
  z.object({
    type: z.literal("failed"),
    code: z.enum(["ModelInvalid", "ExecutionProviderUnavailable", "WarmUpFailed"]),
    message: z.string(),
  }),
  /** The shard cannot work for a reason outside of the model, such as a port that is taken. */
  z.object({ type: z.literal("unable"), message: z.string() }),
  /** The answer to `ping`: the shard's event loop turns, so no run is in the way. */
  z.object({ type: z.literal("pong") }),
  z.object({ type: z.literal("metrics"), metrics: z.array(z.looseObject({ name: z.string() })) }),
  /** Nothing is left to answer, and nothing more is accepted. */
  z.object({ type: z.literal("drained") }),
]);
export type ShardMessage = z.infer<typeof shardMessageSchema>;

export const supervisorMessageSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("start"),
    model: z.string(),
    name: z.string(),
    modelVersion: z.string(),
    serverVersion: z.string(),
    host: z.string(),
    httpPort: z.number(),
    executionProvider: z.enum(["cpu", "cuda", "tensorrt"]),
    requestTimeoutMs: z.number(),
    maxBodyBytes: z.number(),
  }),
  z.object({ type: z.literal("ping") }),
  z.object({ type: z.literal("collect") }),
  /** `quietMs`: accept connections until this long after the last request; `acceptMs`: but no longer than this. */
  z.object({ type: z.literal("drain"), quietMs: z.number(), acceptMs: z.number() }),
]);
export type SupervisorMessage = z.infer<typeof supervisorMessageSchema>;
export type StartMessage = Extract<SupervisorMessage, { type: "start" }>;
export type ReadyMessage = Extract<ShardMessage, { type: "ready" }>;
