/** `spec.server.env`. */
import { z } from "zod";
import { rules } from "./fields.ts";

/**
 * What would change which devices a pod sees, which code the server loads, or what Berth sets itself. CEL and JavaScript read
 * it alike.
 */
export const DENIED_ENV =
  "^((LD|DYLD|NVIDIA|NODE|ORT|UV|BERTH|KUBERNETES|OPENSSL|SSL|GCONV|CUDA_MPS|OMP_TOOL|HSA_TOOLS|ROCP|ROCPROFILER|ROCTRACER|OCL_ICD)_.*|" +
  // what profilers put into a process: a library of any name
  ".*(INJECTION|LIBITTNOTIFY|JIT_PROFILER).*|.*_VISIBLE_DEVICES|GPU_DEVICE_ORDINAL|" +
  "GLIBC_TUNABLES|PATH|HOME|HOSTNAME|TMPDIR|TMP|TEMP|DISK_LIMIT)$";

const variable = z
  .object({
    name: z
      .string()
      .min(1)
      .max(128)
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
      .describe("Name of the variable, such as `OMP_NUM_THREADS`."),
    value: z
      .string()
      .max(4096)
      .describe("Value of the variable, passed as written: references such as `$(NAME)` are not expanded."),
  })
  .meta(
    rules({
      rule: `!self.name.matches('${DENIED_ENV}')`,
      message: "spec.server.env: this variable cannot be set; remove it",
      messageExpression:
        "'spec.server.env: ' + self.name + ' cannot be set: it chooses devices or code, or Berth sets it; remove it'",
    }),
  );

export const env = z
  .array(variable)
  .max(64)
  .optional()
  .describe(
    "Environment variables of the server container. Variables that select devices or load code (`LD_*`, `NVIDIA_*`, `NODE_*`, " +
      "`ORT_*`, `*_VISIBLE_DEVICES` and others), or that Berth sets, are rejected. Do not put secrets here: everybody who can read the " +
      "ModelDeployment can read the values.",
  )
  .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] });
