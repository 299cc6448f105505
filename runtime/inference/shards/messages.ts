import { z } from "zod";
import { isDatatype } from "../../tensors/index.ts";

// What shards and the process that prepares the model tell the pool besides answers to jobs: it parses what it receives.

const tensorInfo = z.object({
  name: z.string(),
  datatype: z.string().refine(isDatatype),
  shape: z.array(z.number().nullable()),
  symbols: z.array(z.string().nullable()),
  anyRank: z.boolean().optional(),
  default: z.object({ shape: z.array(z.number()), base64: z.string() }).optional(),
});

const warmUp = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("passed"), shapes: z.record(z.string(), z.array(z.number())) }),
  z.object({ outcome: z.literal("unproven"), reason: z.string() }),
]);

/** The model cannot be served for a reason that lasts. Without a code the model is not to blame. */
const failed = z.object({
  type: z.literal("failed"),
  code: z.enum(["ModelInvalid", "ExecutionProviderUnavailable", "WarmUpFailed"]).optional(),
  message: z.string(),
});
export type Failed = z.infer<typeof failed>;

export const shardMessageSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("loaded"),
    inputs: z.array(tensorInfo),
    outputs: z.array(tensorInfo),
    loadSeconds: z.number(),
  }),
  /** `outputs`: as the first runs gave them, where that is not what the model declares. */
  z.object({ type: z.literal("ready"), warmUp, warmUpSeconds: z.number(), outputs: z.array(tensorInfo) }),
  failed,
]);
export type ShardMessage = z.infer<typeof shardMessageSchema>;
export type LoadedMessage = Extract<ShardMessage, { type: "loaded" }>;
export type ReadyMessage = Extract<ShardMessage, { type: "ready" }>;

/** What was checked, or made: shards load it as long as it is the same. */
const knownFile = z.object({ path: z.string(), identity: z.string() });

/** What the graph says of batching (see `inference/graph`). */
const graphFindings = z.object({
  findings: z.array(
    z.object({
      axes: z.record(z.string(), z.number()),
      outputs: z.record(z.string(), z.number()).optional(),
      reason: z.string().optional(),
    }),
  ),
  reason: z.string().optional(),
  words: z.array(z.string()).optional(),
});

/** From the process that prepares the model. */
export const prepareAnswerSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("verified"), bytes: z.number(), files: z.array(knownFile) }),
  z.object({ type: z.literal("shared"), file: z.string(), files: z.array(knownFile) }),
  z.object({ type: z.literal("unshared"), reason: z.string() }),
  z.object({ type: z.literal("graph"), graph: graphFindings }),
  z.object({ type: z.literal("digest"), sha256: z.string() }),
  failed,
]);
export type PrepareAnswer = z.infer<typeof prepareAnswerSchema>;

/** To that process, once the file was verified: where the copy should be written, if there should be one. */
export const prepareOrderSchema = z.object({ copyTo: z.string().optional() });
export type PrepareOrder = z.infer<typeof prepareOrderSchema>;
