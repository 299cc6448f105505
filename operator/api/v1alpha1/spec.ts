/** `spec` of a ModelDeployment: the one source of the CRD, the types and docs/api.md. */
import { z } from "zod";
import { accelerator } from "./accelerator.ts";
import { DEFAULT_REPLICAS } from "./defaults.ts";
import { env } from "./env.ts";
import { fetch, proxy } from "./fetching.ts";
import { cores, modest, objectName, PORT, rules, size } from "./fields.ts";
import { podAnnotations, podLabels, service } from "./metadata.ts";
import { rolloutSchema } from "./rollout.ts";
import { scalingSchema } from "./scaling.ts";
import { scheduling } from "./scheduling.ts";

const isHttps = "self.uri.startsWith('https://')";

const model = z
  .object({
    uri: z
      .string()
      .min(1)
      .max(2048)
      .describe(
        "Where the ONNX file is: `https://host/path`, `http://host/path` (only where the operator runs with " +
          "`--allow-http-models`), or `pvc://claim/path` in a PersistentVolumeClaim of this namespace, with names percent-encoded (`my%20model.onnx`).",
      )
      .meta(
        rules(
          {
            rule: "self.matches('^(https|http|pvc)://')",
            message: "spec.model.uri: must start with https://, http:// or pvc://",
          },
          {
            rule: "self.matches('^[!-~]*$')",
            message: "spec.model.uri: printable ASCII only, no spaces or line breaks; percent-encode other characters",
          },
          {
            rule: "!self.matches('^https?://[^/?#]*@')",
            message: "spec.model.uri: no user or password here; name a Secret in spec.model.credentials",
          },
          {
            rule:
              "!self.matches('^https?://') || " +
              `self.matches('^https?://([A-Za-z0-9_.-]+|\\\\[[0-9A-Fa-f:.]+\\\\])(:${PORT})?/[^#]+$') || ` +
              "self.matches('^https?://[^/?#]*@')",
            message:
              "spec.model.uri: must be https://host[:port]/path of one file, with a port up to 65535 and without a #fragment",
          },
          {
            rule: "!self.startsWith('pvc://') || self.matches('^pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(/[^/?#]+)+$')",
            message: "spec.model.uri: must be pvc://claim/path of one file, without empty path segments, ? or #",
          },
          {
            rule: "!self.startsWith('pvc://') || !self.matches('/[.]{1,2}(/|$)')",
            message: "spec.model.uri: a pvc:// path cannot contain . or .. segments",
          },
        ),
      ),
    sha256: z
      .string()
      .length(64)
      .regex(/^[0-9a-f]{64}$/)
      .optional()
      .describe(
        "SHA-256 of the file, 64 lower-case hex digits: any other bytes are refused. Without it, the bytes that a " +
          "revision was first proved with are pinned for that revision.",
      ),
    credentials: z
      .object({
        secretName: objectName(
          "A Secret of this namespace with `token` (sent as a Bearer token), or `username` and `password` (Basic), and " +
            "`hosts`: where they may be sent, such as `models.example.com`, `*.example.com` or `models.example.com:8443`, separated by commas, spaces or line breaks. " +
            "Without its host there nothing is sent. The kubelet mounts it into the init container; the operator never reads it.",
        ),
      })
      .optional()
      .describe("Credentials for an https:// URI. They are not sent to another host that the first one redirects to."),
    caBundle: z
      .object({ configMapName: objectName("A ConfigMap of this namespace whose key `ca.crt` holds PEM certificates.") })
      .optional()
      .describe("Certificates to trust for an https:// URI, besides the system's."),
    proxy: proxy.optional(),
    fetch: fetch.optional(),
  })
  .describe("The model to serve.")
  .meta(
    rules(
      {
        rule: `!has(self.credentials) || ${isHttps}`,
        message: "spec.model.credentials: only with an https:// uri; remove it or use https://",
      },
      {
        rule: `!has(self.caBundle) || ${isHttps}`,
        message: "spec.model.caBundle: only with an https:// uri; remove it or use https://",
      },
      {
        rule: "!has(self.proxy) || !self.uri.startsWith('pvc://')",
        message: "spec.model.proxy: nothing is fetched over the network from a pvc:// uri; remove it",
      },
    ),
  );

const batching = z
  .object({
    maxBatchSize: z
      .int32()
      .min(1)
      .max(1024)
      .optional()
      .describe("The most items that one run of the model takes together; 1 turns batching off. Default 32."),
    maxDelay: z
      .string()
      .min(2)
      .max(16)
      .optional()
      .describe(
        "How long a request may wait for others to join its batch though the model is free, as a Go duration up to `1s`. " +
          "Default `0s`: batches form from the requests that wait while the model is busy.",
      )
      .meta(
        rules({
          rule: "self.matches('^([0-9]+(us|ms|s))+$') && duration(self) <= duration('1s')",
          message:
            "spec.server.batching.maxDelay: must be a duration of at most 1s in whole units, such as 2ms or 500us",
        }),
      ),
  })
  .meta(
    rules({
      rule: "!has(self.maxDelay) || !has(self.maxBatchSize) || self.maxBatchSize > 1 || self.maxDelay.matches('^(0+(us|ms|s))+$')",
      message:
        "spec.server.batching.maxDelay: maxBatchSize 1 turns batching off, so that nothing is waited for; remove one of them",
    }),
  )
  .describe(
    "How requests are joined into one run. The server joins them only after it has proved that answers do not change, and only " +
      "where that gains time.",
  );

const server = z
  .object({
    batching: batching.optional(),
    corsOrigins: z
      .array(z.string().min(1).max(253))
      .max(16)
      .optional()
      .describe(
        "Origins of web pages that browsers allow to call this model over HTTP, such as `https://app.example.com`. `*` alone is all. Default: none.",
      )
      .meta({
        "x-kubernetes-list-type": "set",
        ...rules({
          rule: "self == ['*'] || self.all(o, o.matches('^https?://([a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|\\\\[[0-9a-f:.]+\\\\])(:[0-9]{1,5})?$'))",
          message:
            "spec.server.corsOrigins: must be origins such as https://app.example.com or http://localhost:3000, in small letters and without a path, or * alone",
        }),
      }),
    executionProvider: z
      .enum(["auto", "cpu", "cuda", "tensorrt"])
      .optional()
      .describe(
        "onnxruntime's execution provider. `auto` (the default) is what the accelerator implies: `cuda` with vendor " +
          "nvidia, `cpu` without an accelerator. A runtime image without it fails with a clear message; nothing falls back to the CPU.",
      ),
    requestTimeout: z
      .string()
      .min(2)
      .max(16)
      .optional()
      .describe("Longest time for one request, as a Go duration from `1ms` to `10m`. Default `30s`.")
      .meta(
        rules({
          rule: "self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('10m')",
          message:
            "spec.server.requestTimeout: must be a duration from 1ms to 10m in whole units, such as 30s or 2m30s",
        }),
      ),
    env,
  })
  .describe("How the model is served.");

const resourceList = (list: "requests" | "limits", what: string) =>
  z
    .object({
      cpu: cores(
        `Cores, such as \`500m\`, \`0.5\` or \`2\`${list === "requests" ? "; not above the limit" : ""}.`,
      ).optional(),
      memory: size("Bytes, such as `512Mi`.", `spec.resources.${list}.memory`).optional(),
      "ephemeral-storage": size(
        "Bytes of disk, the model's file included, such as `4Gi`.",
        `spec.resources.${list}.ephemeral-storage`,
      ).optional(),
    })
    .describe(what);

const notAbove = (resource: string, field: string) => ({
  rule:
    `!has(self.requests) || !has(self.limits) || !has(self.requests.${field}) || !has(self.limits.${field}) || ` +
    `!(${modest(`self.requests.${field}`)} && ${modest(`self.limits.${field}`)}) || ` +
    `quantity(string(self.requests.${field})).compareTo(quantity(string(self.limits.${field}))) <= 0`,
  message: `spec.resources.requests.${resource}: must not be above spec.resources.limits.${resource}`,
});

const resources = z
  .object({
    requests: resourceList("requests", "What the scheduler sets aside. Default: cpu 100m, memory 256Mi.").optional(),
    limits: resourceList(
      "limits",
      "What the server may use at most. Default: no limits. A limit of `ephemeral-storage` also bounds the model's size.",
    ).optional(),
  })
  .describe("Resources of the server container. Devices belong into spec.accelerator.")
  .meta(rules(notAbove("memory", "memory"), notAbove("ephemeral-storage", "ephemeral__dash__storage")));

/** The number of pods follows the load, or a schedule: `isScaled`, for the API server. */
const IS_SCALED =
  "(has(self.scaling) && (!has(self.scaling.mode) || self.scaling.mode == 'internal') && " +
  "(self.scaling.minReplicas == 0 || (has(self.scaling.maxReplicas) && self.scaling.maxReplicas > self.scaling.minReplicas)))";

const traffic = z
  .object({
    path: z
      .enum(["direct", "router"])
      .optional()
      .describe(
        "How requests reach the pods. `direct` (the default, unless a new revision takes over step by step, by `rollout.strategy`, or the number of pods follows the load): the Service sends them to the pods of " +
          "the stable revision. `router`: through Berth's router in this namespace, which balances by requests under way, and holds requests " +
          "while no pod is ready.",
      ),
    queue: z
      .object({
        maxRequests: z
          .int32()
          .min(0)
          .max(100_000)
          .optional()
          .describe("Requests that may wait in a router for a pod; more get 503. Default 1000."),
        maxWait: z
          .string()
          .min(2)
          .max(16)
          .optional()
          .describe(
            "How long a request may wait, as a Go duration from `1ms` to `10m`; then it gets 503. Default `60s`.",
          )
          .meta(
            rules({
              rule: "self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('10m')",
              message:
                "spec.traffic.queue.maxWait: must be a duration from 1ms to 10m in whole units, such as 30s or 2m30s",
            }),
          ),
      })
      .optional()
      .describe("Requests that find no pod ready, or all of them busy, wait in the router."),
    streamIdleTimeout: z
      .string()
      .min(2)
      .max(16)
      .optional()
      .describe(
        "How long a stream may be silent on both sides before the router ends it, as a Go duration from `1s` to `1h`: a gRPC stream, server-sent " +
          "events, a body or an answer that goes on. Until its first byte, an answer has `server.requestTimeout`. Default `5m`.",
      )
      .meta(
        rules({
          rule: "self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('1h')",
          message:
            "spec.traffic.streamIdleTimeout: must be a duration from 1s to 1h in whole units, such as 90s or 10m",
        }),
      ),
  })
  .describe("How requests reach the pods. Not part of the revision: a change restarts no pod.");

export const specSchema = z
  .object({
    // The default is the CRD's alone: `/scale` can always be read, and a field manager that leaves the number out owns nothing.
    replicas: z
      .int32()
      .min(0)
      .max(1000)
      .optional()
      .describe(
        "How many pods serve, of both revisions during a rollout. With `scaling.mode: external` only; otherwise it has no effect. " +
          "Until somebody sets it, `external` keeps the number of pods.",
      )
      .meta({ default: DEFAULT_REPLICAS }),
    model,
    server: server.optional(),
    accelerator: accelerator.optional(),
    resources: resources.optional(),
    scaling: scalingSchema.optional(),
    scheduling: scheduling.optional(),
    rollout: rolloutSchema.optional(),
    traffic: traffic.optional(),
    podLabels,
    podAnnotations,
    service: service.optional(),
    serviceAccountName: objectName(
      "The pods' ServiceAccount, of this namespace. Its token is not mounted. Default: the namespace's `default`.",
    ).optional(),
    imagePullSecrets: z
      .array(z.object({ name: objectName("A Secret of this namespace.") }))
      .max(8)
      .optional()
      .describe("Secrets to pull the runtime's image with.")
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] }),
  })
  .describe("What should serve. Berth never writes it.")
  .meta(
    rules(
      {
        rule:
          "!has(self.accelerator) || (has(self.accelerator.vendor) && self.accelerator.vendor == 'nvidia') || " +
          "(has(self.server) && has(self.server.executionProvider) && self.server.executionProvider != 'auto')",
        message:
          "spec.server.executionProvider: must be set (cpu, or cuda or tensorrt where the devices are NVIDIA's), because only vendor nvidia implies one",
      },
      {
        rule:
          "!has(self.traffic) || !has(self.traffic.queue) || (has(self.traffic.path) && self.traffic.path == 'router') || " +
          `(has(self.rollout) && has(self.rollout.strategy) && self.rollout.strategy != 'immediate') || ${IS_SCALED}`,
        message:
          "spec.traffic.queue: needs the router, which holds requests; set spec.traffic.path: router, or remove it",
      },
      {
        rule:
          "!has(self.traffic) || !has(self.traffic.streamIdleTimeout) || (has(self.traffic.path) && self.traffic.path == 'router') || " +
          `(has(self.rollout) && has(self.rollout.strategy) && self.rollout.strategy != 'immediate') || ${IS_SCALED}`,
        message:
          "spec.traffic.streamIdleTimeout: needs the router, which ends idle streams; set spec.traffic.path: router, or remove it",
      },
      {
        rule:
          "!has(self.rollout) || !has(self.rollout.strategy) || self.rollout.strategy == 'immediate' || " +
          "!has(self.traffic) || !has(self.traffic.path) || self.traffic.path != 'direct'",
        message:
          "spec.traffic.path: strategies canary, shadow and blueGreen need the router; remove direct, or use strategy immediate",
      },
      {
        rule: `!${IS_SCALED} || !has(self.traffic) || !has(self.traffic.path) || self.traffic.path != 'direct'`,
        message:
          "spec.traffic.path: scaling by load needs the router, which counts the requests; remove direct, or set spec.scaling.maxReplicas to minReplicas",
      },
      {
        rule:
          "!has(self.rollout) || !has(self.rollout.capacity) || self.rollout.capacity != 'handover' || " +
          "(has(self.scaling) && ((has(self.scaling.mode) && self.scaling.mode == 'external') || self.scaling.minReplicas >= 2))",
        message:
          "spec.rollout.capacity: handover needs two pods or more (scaling.minReplicas); with one, use swap or auto",
      },
      {
        rule:
          "!has(self.server) || !has(self.server.executionProvider) || " +
          "!(self.server.executionProvider in ['cuda', 'tensorrt']) || has(self.accelerator)",
        message:
          "spec.server.executionProvider: cuda and tensorrt need devices; set spec.accelerator, such as {vendor: nvidia}",
      },
      {
        rule:
          "!has(self.server) || !has(self.server.executionProvider) || " +
          "!(self.server.executionProvider in ['cuda', 'tensorrt']) || !has(self.accelerator) || " +
          "((!has(self.accelerator.vendor) || self.accelerator.vendor == 'nvidia') && " +
          "!(has(self.accelerator.resourceName) && self.accelerator.resourceName.matches('^(amd[.]com|gpu[.]intel[.]com)/')))",
        message:
          "spec.server.executionProvider: cuda and tensorrt run on NVIDIA's devices only; set spec.accelerator to those, or use cpu",
      },
    ),
  );

/** `spec` as a user may write it: whatever the API server lets through. */
export type ModelDeploymentSpec = z.output<typeof specSchema>;
