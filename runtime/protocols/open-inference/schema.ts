/** The JSON of the protocol's requests. What checks a request is what the OpenAPI document is made from. */
import { z } from "zod";

const parameters = z.record(z.string(), z.unknown());

/** What may be left out may be null as well: clients in many languages write it so. */
export const requestSchema = z.object({
  id: z.string().max(1024).nullish(),
  parameters: parameters.nullish(),
  inputs: z
    .array(
      z.object({
        name: z.string(),
        shape: z.array(z.int().nonnegative()).max(64),
        datatype: z.string(),
        parameters: parameters.nullish(),
        data: z.unknown().optional(),
      }),
    )
    .max(1024),
  outputs: z
    .array(z.object({ name: z.string(), parameters: parameters.nullish() }))
    .max(1024)
    .nullish(),
});
export type InferEnvelope = z.infer<typeof requestSchema>;

export const indexRequestSchema = z.object({ ready: z.boolean().nullish() });

const tensorMetadata = z.object({
  name: z.string(),
  datatype: z.string(),
  shape: z.array(z.int().min(-1)),
  parameters: z.object({ unknown_rank: z.boolean().optional(), optional: z.boolean().optional() }).optional(),
});
const duration = z.object({ count: z.int().nonnegative(), ns: z.int().nonnegative() });
const computed = { compute_input: duration, compute_infer: duration, compute_output: duration };

/** What the server answers; only the OpenAPI document and tests use these. */
export const responseSchemas = {
  error: z.object({ error: z.string() }),
  live: z.object({ live: z.literal(true) }),
  ready: z.object({ ready: z.literal(true), name: z.string().optional() }),
  server: z.object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) }),
  model: z.object({
    name: z.string(),
    versions: z.array(z.string()),
    platform: z.string(),
    inputs: z.array(tensorMetadata),
    outputs: z.array(tensorMetadata),
  }),
  statistics: z.object({
    model_stats: z.array(
      z.object({
        name: z.string(),
        version: z.string(),
        last_inference: z.number(),
        inference_count: z.int(),
        execution_count: z.int(),
        inference_stats: z.object({
          success: duration,
          fail: duration,
          queue: duration,
          ...computed,
          cache_hit: duration,
          cache_miss: duration,
        }),
        response_stats: z.object({}),
        batch_stats: z.array(z.object({ batch_size: z.int(), ...computed })),
        memory_usage: z.array(z.unknown()),
      }),
    ),
  }),
  index: z.array(z.object({ name: z.string(), version: z.string(), state: z.string(), reason: z.string() })),
  infer: z.object({
    model_name: z.string(),
    model_version: z.string(),
    id: z.string().optional(),
    outputs: z.array(
      z.object({
        name: z.string(),
        datatype: z.string(),
        shape: z.array(z.int().nonnegative()),
        parameters: parameters.optional(),
        data: z.array(z.unknown()).optional(),
      }),
    ),
  }),
};
