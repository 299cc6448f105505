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
        "Where the ONNX file is: `https://host/path`; `http://host/path`, if the operator runs with `--allow-http-models`; or " +
          "`pvc://claim/path`, a file in a PersistentVolumeClaim of this namespace. Special characters in names are percent-encoded " +
          "(`my%20model.onnx`).",
      )
      .meta(
        rules(
          {
            rule: "self.matches('^(https|http|pvc)://')",
            message: "spec.model.uri: must start with https://, http:// or pvc://",
          },
          {
            rule: "self.matches('^[!-~]*$')",
            message:
              "spec.model.uri: must have printable ASCII characters only, without spaces or line breaks; percent-encode all others",
          },
          {
            rule: "!self.matches('^https?://[^/?#]*@')",
            message:
              "spec.model.uri: must not hold a user or password; put them into a Secret, and name it in spec.model.credentials",
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
        "SHA-256 digest of the file, as 64 lower-case hexadecimal digits. A file with another digest is rejected. Without it, Berth pins " +
          "each revision to the digest of the file that its first ready pod loaded.",
      ),
    credentials: z
      .object({
        secretName: objectName(
          "A Secret of this namespace. Its keys are `token` (sent as a Bearer token), or `username` and `password` (Basic authentication), " +
            "and `hosts`, the hosts that may receive the credentials, such as `models.example.com`, `*.example.com` or " +
            "`models.example.com:8443`, separated by commas, spaces or line breaks. If `hosts` does not list the URI's host, the fetch fails " +
            "and sends nothing. The kubelet mounts the Secret into the init container; the operator never reads it.",
        ),
      })
      .optional()
      .describe(
        "Credentials for an `https://` URI. They are sent to the URI's own origin (scheme, host and port) only, and not to the targets " +
          "of redirects to other origins.",
      ),
    caBundle: z
      .object({ configMapName: objectName("A ConfigMap of this namespace. Its key `ca.crt` holds PEM certificates.") })
      .optional()
      .describe("Certificate authorities to trust for an `https://` URI, in addition to the system's."),
    proxy: proxy.optional(),
    fetch: fetch.optional(),
  })
  .describe("The model to serve. A change makes a new revision.")
  .meta(
    rules(
      {
        rule: `!has(self.credentials) || ${isHttps}`,
        message: "spec.model.credentials: needs an https:// URI; change spec.model.uri, or remove credentials",
      },
      {
        rule: `!has(self.caBundle) || ${isHttps}`,
        message: "spec.model.caBundle: needs an https:// URI; change spec.model.uri, or remove caBundle",
      },
      {
        rule: "!has(self.proxy) || !self.uri.startsWith('pvc://')",
        message: "spec.model.proxy: needs an https:// or http:// URI; change spec.model.uri, or remove proxy",
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
      .describe("Maximum number of items in one run of the model; 1 turns batching off. Default: 32."),
    maxDelay: z
      .string()
      .min(2)
      .max(16)
      .optional()
      .describe(
        "How long a request may wait for others to join its batch although the model is idle, as a Go duration up to `1s`. Default: " +
          "`0s`, so that batches form only from requests that queue while the model is busy.",
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
        "spec.server.batching.maxDelay: has no effect with maxBatchSize 1, which turns batching off; remove one of them",
    }),
  )
  .describe(
    "How the server combines requests into one run of the model. It does so only after it has proved that the answers stay the same, " +
      "and only where that saves time.",
  );

const server = z
  .object({
    batching: batching.optional(),
    corsOrigins: z
      .array(z.string().min(1).max(253))
      .max(16)
      .optional()
      .describe(
        "Origins of web pages that may call this model over HTTP from a browser (CORS), such as `https://app.example.com`. A single `*` " +
          "allows all origins. Default: none.",
      )
      .meta({
        "x-kubernetes-list-type": "set",
        ...rules({
          rule: "self == ['*'] || self.all(o, o.matches('^https?://([a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|\\\\[[0-9a-f:.]+\\\\])(:[0-9]{1,5})?$'))",
          message:
            "spec.server.corsOrigins: must be origins such as https://app.example.com or http://localhost:3000, in lower case and without a path, or * alone",
        }),
      }),
    executionProvider: z
      .enum(["auto", "cpu", "cuda", "tensorrt"])
      .optional()
      .describe(
        "Execution provider of onnxruntime. `auto` (the default) follows from the accelerator: `cuda` with vendor nvidia, `cpu` without " +
          "an accelerator. If the runtime image lacks the provider, the pods fail with `ExecutionProviderUnavailable`; they never fall " +
          "back to the CPU.",
      ),
    requestTimeout: z
      .string()
      .min(2)
      .max(16)
      .optional()
      .describe("Maximum duration of one request, as a Go duration from `1ms` to `10m`. Default: `30s`.")
      .meta(
        rules({
          rule: "self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('1ms') && duration(self) <= duration('10m')",
          message:
            "spec.server.requestTimeout: must be a duration from 1ms to 10m in whole units, such as 30s or 2m30s",
        }),
      ),
    env,
  })
  .describe("How the server serves the model. A change makes a new revision.");

const resourceList = (list: "requests" | "limits", what: string) =>
  z
    .object({
      cpu: cores(
        `Cores, such as \`500m\`, \`0.5\` or \`2\`.${list === "requests" ? " Must not exceed the limit." : ""}`,
      ).optional(),
      memory: size("Bytes, such as `512Mi`.", `spec.resources.${list}.memory`).optional(),
      "ephemeral-storage": size(
        "Bytes of disk, such as `4Gi`. The model's file counts towards it.",
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
    requests: resourceList(
      "requests",
      "What the scheduler reserves for the server. Default: the limit, if there is one; otherwise `cpu` 100m and `memory` 256Mi.",
    ).optional(),
    limits: resourceList(
      "limits",
      "Maximum that the server may use. Default: no limits. The limit of `ephemeral-storage` also bounds the model's size.",
    ).optional(),
  })
  .describe("Resources of the server container. Devices belong in `spec.accelerator`. A change makes a new revision.")
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
        "How requests reach the pods. `direct`: the Service sends them to the pods of the stable revision. `router`: the Service sends " +
          "them to Berth's router in this namespace, which sends each request to the pod with the fewest requests in flight, and holds " +
          "requests while no pod is ready. Default: `router` if `rollout.strategy` is not `immediate` or the number of pods follows the " +
          "load; otherwise `direct`.",
      ),
    queue: z
      .object({
        maxRequests: z
          .int32()
          .min(0)
          .max(100_000)
          .optional()
          .describe(
            "Maximum number of requests that wait in one router for a pod of one revision; further requests get 503. Default: 1000.",
          ),
        maxWait: z
          .string()
          .min(2)
          .max(16)
          .optional()
          .describe(
            "How long a request may wait before it gets 503, as a Go duration from `1ms` to `10m`. Default: `60s`.",
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
      .describe("The router's queue: requests wait there while no pod is ready or all pods are busy."),
    streamIdleTimeout: z
      .string()
      .min(2)
      .max(16)
      .optional()
      .describe(
        "How long a stream may carry no byte in either direction before the router ends it, as a Go duration from `1s` to `1h`. Streams " +
          "are gRPC streams, server-sent events, and bodies or answers that are still in transfer. Before the first byte of an answer, " +
          "`server.requestTimeout` applies instead. Default: `5m`.",
      )
      .meta(
        rules({
          rule: "self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('1h')",
          message:
            "spec.traffic.streamIdleTimeout: must be a duration from 1s to 1h in whole units, such as 90s or 10m",
        }),
      ),
  })
  .describe("How requests reach the pods. A change makes no new revision and restarts no pod.");

export const specSchema = z
  .object({
    // The default is the CRD's alone: `/scale` can always be read, and a field manager that leaves the number out owns nothing.
    replicas: z
      .int32()
      .min(0)
      .max(1000)
      .optional()
      .describe(
        "Number of pods, of both revisions together during a rollout. It has an effect with `scaling.mode: external` only. Until a user " +
          "or an autoscaler sets it, the number of pods does not change.",
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
      "ServiceAccount of the pods, in this namespace. Its token is not mounted. Default: the ServiceAccount `default`.",
    ).optional(),
    imagePullSecrets: z
      .array(z.object({ name: objectName("Name of a Secret of this namespace.") }))
      .max(8)
      .optional()
      .describe("Secrets with which the kubelet pulls the runtime image.")
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] }),
  })
  .describe("The desired state. Berth never writes it.")
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
