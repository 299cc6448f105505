import { z } from "zod";
import type { FailureCode } from "../../contract/pod.ts";
import type { Budgets } from "./budgets.ts";
import type { ServeOptions } from "./options.ts";
import type { Snapshot } from "./snapshot.ts";

// What the supervisor and the door tell each other. Both are threads of one process; both parse what arrives.

const tensorInfo = z.object({
  name: z.string(),
  datatype: z.string(),
  shape: z.array(z.number().nullable()),
  symbols: z.array(z.string().nullable()),
  anyRank: z.boolean().optional(),
  default: z.object({ shape: z.array(z.number()), base64: z.string() }).optional(),
});
const warmUp = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("passed"), shapes: z.record(z.string(), z.array(z.number())) }),
  z.object({ outcome: z.literal("unproven"), reason: z.string() }),
]);

export const doorMessageSchema = z.discriminatedUnion("type", [
  /** The first shard is warm; the ports are being opened. `shards`: how many there will be. */
  z.object({ type: z.literal("loaded"), loadSeconds: z.number(), sharedWeights: z.boolean(), shards: z.number() }),
  /** The ports are open. Once. */
  z.object({
    type: z.literal("ready"),
    httpPort: z.number(),
    grpcPort: z.number(),
    inputs: z.array(tensorInfo),
    outputs: z.array(tensorInfo),
    warmUp,
    warmUpSeconds: z.number(),
  }),
  z.object({ type: z.literal("shard-ready"), shard: z.number() }),
  /** A shard ended; another is started in its place. */
  z.object({ type: z.literal("shard-lost"), shard: z.number(), message: z.string() }),
  /** From now on shards start with weights of their own. */
  z.object({ type: z.literal("copy-dropped"), message: z.string() }),
  z.object({ type: z.literal("digest"), digest: z.string() }),
  z.object({ type: z.literal("warning"), message: z.string() }),
  /** A defect of this server, for its log. */
  z.object({ type: z.literal("error"), message: z.string() }),
  /** It cannot go on. Without a code the model is not to blame. */
  z.object({
    type: z.literal("failed"),
    code: z.custom<FailureCode>((value) => typeof value === "string").optional(),
    message: z.string(),
  }),
  z.object({ type: z.literal("pong") }),
  z.object({ type: z.literal("snapshot"), snapshot: z.custom<Snapshot>((value) => typeof value === "object") }),
  /** Nothing is left to answer, and nothing more is accepted. */
  z.object({ type: z.literal("drained") }),
  z.object({ type: z.literal("stopped") }),
]);
export type DoorMessage = z.infer<typeof doorMessageSchema>;
export type LoadedMessage = Extract<DoorMessage, { type: "loaded" }>;
export type ReadyMessage = Extract<DoorMessage, { type: "ready" }>;

export const supervisorMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ping") }),
  z.object({ type: z.literal("collect") }),
  /** `quietMs`: accept connections until this long after the last request; `acceptMs`: but no longer than this. */
  z.object({ type: z.literal("drain"), quietMs: z.number(), acceptMs: z.number() }),
  /** End the shards at once. */
  z.object({ type: z.literal("stop") }),
]);
export type SupervisorMessage = z.infer<typeof supervisorMessageSchema>;

/** What the door is started with. */
export type DoorStart = ServeOptions & { serverVersion: string; budgets: Budgets };
