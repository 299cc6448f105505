/**
 * ModelDeployments that the API server must refuse. Each differs from a valid one in one thing;
 * `field` is what the API server's message must name.
 */
import type { KubeObject } from "../../operator/platform/kube/objects.ts";

export type InvalidManifest = { name: string; manifest: KubeObject & { spec: unknown }; field: string };

const uri = "https://models.example.com/digits.onnx";

const object = (spec: unknown, name = "invalid"): InvalidManifest["manifest"] => ({
  apiVersion: "berth.dev/v1alpha1",
  kind: "ModelDeployment",
  metadata: { name },
  spec,
});

const model = (name: string, fields: Record<string, unknown>, field: string): InvalidManifest => ({
  name,
  manifest: object({ model: { uri, ...fields } }),
  field,
});

const spec = (name: string, fields: Record<string, unknown>, field: string): InvalidManifest => ({
  name,
  manifest: object({ model: { uri }, ...fields }),
  field,
});

const nvidia = { vendor: "nvidia" };

const onNvidia = (name: string, fields: Record<string, unknown>, field: string) =>
  spec(name, { accelerator: { ...nvidia, ...fields } }, `spec.accelerator${field}`);

const scheduling = (name: string, fields: Record<string, unknown>, field: string) =>
  spec(name, { scheduling: fields }, `spec.scheduling.${field}`);

const oneClaim = { name: "gpu", resourceClaimTemplateName: "one-gpu" };
const hosts = { topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "DoNotSchedule" };

export const invalidManifests: InvalidManifest[] = [
  { name: "no model", manifest: object({}), field: "spec.model" },
  { name: "no uri", manifest: object({ model: {} }), field: "spec.model.uri" },
  { name: "a name with a dot", manifest: object({ model: { uri } }, "digits.v2"), field: "metadata.name" },
  { name: "a name that starts with a digit", manifest: object({ model: { uri } }, "2digits"), field: "metadata.name" },
  { name: "a name too long for pods", manifest: object({ model: { uri } }, "n".repeat(47)), field: "metadata.name" },
  { name: "the name of the routers", manifest: object({ model: { uri } }, "berth-router"), field: "metadata.name" },
  model("an empty uri", { uri: "" }, "spec.model.uri"),
  model("a uri that is a number", { uri: 7 }, "spec.model.uri"),
  model("a scheme that reads the node", { uri: "file:///etc/passwd" }, "spec.model.uri"),
  model("a scheme in capitals", { uri: "HTTPS://models.example.com/a.onnx" }, "spec.model.uri"),
  model("a uri without a host", { uri: "https:///a.onnx" }, "spec.model.uri"),
  model("a uri without a path", { uri: "https://models.example.com" }, "spec.model.uri"),
  model("a uri with a fragment", { uri: `${uri}#v2` }, "spec.model.uri"),
  model("a password in the uri", { uri: "https://me:secret@models.example.com/a.onnx" }, "spec.model.credentials"),
  model("a line break in the uri", { uri: `${uri}\r\nHost: other` }, "spec.model.uri"),
  model("a space in the uri", { uri: "https://models.example.com/my model.onnx" }, "spec.model.uri"),
  model("a letter beyond ASCII in the uri", { uri: "https://models.example.com/modèle.onnx" }, "spec.model.uri"),
  model("a uri of 2049 characters", { uri: uri + "x".repeat(2049 - uri.length) }, "spec.model.uri"),
  model("a claim without a path", { uri: "pvc://models" }, "spec.model.uri"),
  model("a claim in capitals", { uri: "pvc://Models/a.onnx" }, "spec.model.uri"),
  model("a path out of the claim", { uri: "pvc://models/../../etc/passwd" }, "spec.model.uri"),
  model("a path that ends with ..", { uri: "pvc://models/a/.." }, "spec.model.uri"),
  model("a short checksum", { sha256: "abc" }, "spec.model.sha256"),
  model("a checksum in capitals", { sha256: "A".repeat(64) }, "spec.model.sha256"),
  model("a secret's name in capitals", { credentials: { secretName: "Token" } }, "spec.model.credentials.secretName"),
  model("credentials without a secret", { credentials: {} }, "spec.model.credentials.secretName"),
  model("a CA without a ConfigMap", { caBundle: {} }, "spec.model.caBundle.configMapName"),
  model(
    "credentials over http",
    { uri: "http://models.example.com/a.onnx", credentials: { secretName: "token" } },
    "spec.model.credentials",
  ),
  model("a CA for a claim", { uri: "pvc://models/a.onnx", caBundle: { configMapName: "ca" } }, "spec.model.caBundle"),
  spec(
    "an execution provider that we do not know",
    { server: { executionProvider: "rocm" } },
    "spec.server.executionProvider",
  ),
  ...["amd", "intel"].flatMap((vendor) =>
    ["cuda", "tensorrt"].map((executionProvider) =>
      spec(
        `${executionProvider} on ${vendor}`,
        { accelerator: { vendor, resourceName: "example.com/gpu" }, server: { executionProvider } },
        "spec.server.executionProvider",
      ),
    ),
  ),
  ...["amd.com/gpu", "gpu.intel.com/xe"].map((resourceName) =>
    spec(
      `cuda on ${resourceName}`,
      { accelerator: { resourceName }, server: { executionProvider: "cuda" } },
      "spec.server.executionProvider",
    ),
  ),
  spec(
    "a delay for batches of one",
    { server: { batching: { maxBatchSize: 1, maxDelay: "2ms" } } },
    "spec.server.batching.maxDelay",
  ),
  model("a port beyond 65535", { uri: "https://models.example.com:65536/a.onnx" }, "spec.model.uri"),
  model("port 99999", { uri: "https://models.example.com:99999/a.onnx" }, "spec.model.uri"),
  model("port 0", { uri: "https://models.example.com:0/a.onnx" }, "spec.model.uri"),
  spec("no step but 100%", { rollout: { strategy: "canary", steps: [{ weight: "100%" }] } }, "spec.rollout.steps"),
  ...[
    ...["LD_PRELOAD", "NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "NODE_OPTIONS", "NODE_EXTRA_CA_CERTS"],
    ...["ORT_DISABLE_TELEMETRY", "PATH", "TMPDIR", "DISK_LIMIT", "OPENSSL_CONF", "BERTH_X", "NVTX_INJECTION64_PATH"],
  ].map((name) =>
    spec(`the variable ${name}`, { server: { env: [{ name, value: "x" }] } }, `spec.server.env: ${name}`),
  ),
  spec("a variable without a name", { server: { env: [{ name: "", value: "x" }] } }, "spec.server.env"),
  spec("a variable from a Secret", { server: { env: [{ name: "A", valueFrom: {} }] } }, "spec.server.env"),
  ...[
    "berth.dev/router",
    "app.kubernetes.io/managed-by",
    "pod-template-hash",
    "kueue.x-k8s.io/queue-name",
    "a b",
  ].flatMap((key) => [
    spec(`the pods' label ${key}`, { podLabels: { [key]: "x" } }, "spec.podLabels"),
    spec(`the Service's label ${key}`, { service: { labels: { [key]: "x" } } }, "spec.service.labels"),
  ]),
  ...["berth.dev/promoted", "x.berth.dev/a", "kubectl.kubernetes.io/restartedAt", "node.k8s.io/a"].flatMap((key) => [
    spec(`the pods' annotation ${key}`, { podAnnotations: { [key]: "x" } }, "spec.podAnnotations"),
    spec(`the Service's annotation ${key}`, { service: { annotations: { [key]: "x" } } }, "spec.service.annotations"),
  ]),
  spec("a label that is no label", { podLabels: { team: "a b" } }, "spec.podLabels"),
  spec(
    "33 labels",
    { podLabels: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`l${index}`, "x"])) },
    "spec.podLabels",
  ),
  ...[
    "http://me:secret@proxy:3128",
    "http://me@proxy",
    "socks5://proxy:1080",
    "proxy:3128",
    "http://proxy/path",
    "http://proxy:99999",
  ].map((url) => model(`the proxy ${url}`, { proxy: { url } }, "spec.model.proxy.url")),
  model("a proxy for a claim", { uri: "pvc://models/a.onnx", proxy: { url: "http://proxy:3128" } }, "spec.model.proxy"),
  model(
    "a fetch that requests more than its limit",
    { fetch: { resources: { requests: { memory: "2Gi" }, limits: { memory: "1Gi" } } } },
    "spec.model.fetch.resources.requests.memory",
  ),
  spec("cuda without devices", { server: { executionProvider: "cuda" } }, "spec.server.executionProvider"),
  spec("a batch of none", { server: { batching: { maxBatchSize: 0 } } }, "spec.server.batching.maxBatchSize"),
  spec("an origin with a path", { server: { corsOrigins: ["https://a.example/"] } }, "spec.server.corsOrigins"),
  spec("an origin without a scheme", { server: { corsOrigins: ["a.example"] } }, "spec.server.corsOrigins"),
  spec("all origins and one", { server: { corsOrigins: ["*", "https://a.example"] } }, "spec.server.corsOrigins"),
  spec("a delay over a second", { server: { batching: { maxDelay: "2s" } } }, "spec.server.batching.maxDelay"),
  spec("a delay without a unit", { server: { batching: { maxDelay: "20" } } }, "spec.server.batching.maxDelay"),
  spec("a time-out without a unit", { server: { requestTimeout: "30" } }, "spec.server.requestTimeout"),
  spec("a time-out of nothing", { server: { requestTimeout: "0s" } }, "spec.server.requestTimeout"),
  spec("a time-out of eleven minutes", { server: { requestTimeout: "11m" } }, "spec.server.requestTimeout"),
  spec("a negative time-out", { server: { requestTimeout: "-5s" } }, "spec.server.requestTimeout"),
  spec("an accelerator of nothing", { accelerator: { count: 1 } }, "spec.accelerator"),
  spec("an unknown vendor", { accelerator: { vendor: "none" } }, "spec.accelerator.vendor"),
  spec("no device", { accelerator: { ...nvidia, count: 0 } }, "spec.accelerator.count"),
  spec("17 devices", { accelerator: { ...nvidia, count: 17 } }, "spec.accelerator.count"),
  spec("half a device", { accelerator: { ...nvidia, count: 0.5 } }, "spec.accelerator.count"),
  spec(
    "a resource without a domain",
    { accelerator: { ...nvidia, resourceName: "gpu" } },
    "spec.accelerator.resourceName",
  ),
  spec(
    "a resource of Kubernetes itself",
    { accelerator: { ...nvidia, resourceName: "kubernetes.io/cpu" } },
    "spec.accelerator.resourceName",
  ),
  spec(
    "intel without a resource",
    { accelerator: { vendor: "intel" }, server: { executionProvider: "cpu" } },
    "spec.accelerator.resourceName",
  ),
  spec("amd without an execution provider", { accelerator: { vendor: "amd" } }, "spec.server.executionProvider"),
  spec(
    "products of amd",
    { accelerator: { vendor: "amd", products: ["MI300X"] }, server: { executionProvider: "cpu" } },
    "spec.accelerator.products",
  ),
  spec(
    "memory of a bare resource",
    { accelerator: { resourceName: "example.com/npu", memory: "1Gi" }, server: { executionProvider: "cpu" } },
    "spec.accelerator.memory",
  ),
  spec("memory with a wrong unit", { accelerator: { ...nvidia, memory: "20GB" } }, "spec.accelerator.memory"),
  spec(
    "a product that no label can hold",
    { accelerator: { ...nvidia, products: ["NVIDIA L4"] } },
    "spec.accelerator.products[0]",
  ),
  spec(
    "17 products",
    { accelerator: { ...nvidia, products: Array.from({ length: 17 }, (_, index) => `P${index}`) } },
    "spec.accelerator.products",
  ),
  spec("the same product twice", { accelerator: { ...nvidia, products: ["L4", "L4"] } }, "spec.accelerator.products"),
  onNvidia("a way to share that we do not know", { sharing: "vgpu" }, ".sharing"),
  onNvidia("two shares of a device", { sharing: "timeSlicing", count: 2 }, ".count"),
  onNvidia("four clients of MPS in one pod", { sharing: "mps", count: 4 }, ".count"),
  onNvidia("a slice of unknown size", { sharing: "mig" }, ".mig.profile"),
  onNvidia("a slice without a profile", { sharing: "mig", mig: {} }, ".mig.profile"),
  onNvidia("a slice of a whole device", { mig: { profile: "1g.10gb" } }, ".mig"),
  onNvidia("a slice of a device shared in time", { sharing: "timeSlicing", mig: { profile: "1g.10gb" } }, ".mig"),
  onNvidia("a profile as the resource", { sharing: "mig", mig: { profile: "mig-1g.10gb" } }, ".mig.profile"),
  onNvidia("a profile in capitals", { sharing: "mig", mig: { profile: "1G.10GB" } }, ".mig.profile"),
  spec(
    "sharing of amd",
    { accelerator: { vendor: "amd", sharing: "timeSlicing" }, server: { executionProvider: "cpu" } },
    "spec.accelerator.sharing",
  ),
  spec(
    "sharing of a bare resource",
    { accelerator: { resourceName: "example.com/npu", sharing: "mps" }, server: { executionProvider: "cpu" } },
    "spec.accelerator.sharing",
  ),
  onNvidia("no claim", { claims: [] }, ".claims"),
  onNvidia("nine claims", { claims: Array.from({ length: 9 }, (_, i) => ({ ...oneClaim, name: `c${i}` })) }, ".claims"),
  onNvidia("a claim of nothing", { claims: [{ name: "gpu" }] }, ".claims"),
  onNvidia("a claim of two", { claims: [{ ...oneClaim, resourceClaimName: "mine" }] }, ".claims"),
  onNvidia("a claim without a name", { claims: [{ resourceClaimName: "mine" }] }, ".claims[0].name"),
  onNvidia("the same claim twice", { claims: [oneClaim, oneClaim] }, ".claims[1]"),
  onNvidia("a claim's name in capitals", { claims: [{ ...oneClaim, name: "GPU" }] }, ".claims[0].name"),
  onNvidia("claims and a count", { claims: [oneClaim], count: 1 }, ".claims"),
  onNvidia("claims and products", { claims: [oneClaim], products: ["NVIDIA-L4"] }, ".claims"),
  onNvidia("claims and sharing", { claims: [oneClaim], sharing: "mps" }, ".claims"),
  spec(
    "claims without an execution provider",
    { accelerator: { claims: [oneClaim] } },
    "spec.server.executionProvider",
  ),
  scheduling("a node label without a name", { nodeSelector: { "example.com/": "a" } }, "nodeSelector"),
  scheduling("a node label in a domain of capitals", { nodeSelector: { "Example.com/pool": "a" } }, "nodeSelector"),
  scheduling("a node label with a space", { nodeSelector: { pool: "a b" } }, "nodeSelector.pool"),
  scheduling("a node label that is a number", { nodeSelector: { pool: 1 } }, "nodeSelector.pool"),
  scheduling(
    "17 node labels",
    { nodeSelector: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`l${i}`, ""])) },
    "nodeSelector",
  ),
  scheduling("a toleration of nothing", { tolerations: [{}] }, "tolerations"),
  scheduling("a value of any value", { tolerations: [{ key: "a", operator: "Exists", value: "b" }] }, "tolerations"),
  scheduling("an operator of labels", { tolerations: [{ key: "a", operator: "In" }] }, "tolerations[0].operator"),
  scheduling("an effect in capitals", { tolerations: [{ key: "a", effect: "NOEXECUTE" }] }, "tolerations[0].effect"),
  scheduling(
    "seconds of an effect that evicts nobody",
    { tolerations: [{ key: "a", tolerationSeconds: 9 }] },
    "tolerations",
  ),
  scheduling("a taint's key with a space", { tolerations: [{ key: "a b" }] }, "tolerations[0].key"),
  scheduling("the cluster's own priority", { priorityClassName: "system-node-critical" }, "priorityClassName"),
  scheduling("a priority as a number", { priorityClassName: 1000 }, "priorityClassName"),
  scheduling("a runtime class in capitals", { runtimeClassName: "NVIDIA" }, "runtimeClassName"),
  scheduling("a queue of another namespace", { queueName: "other/team-a" }, "queueName"),
  scheduling("a queue that no label can hold", { queueName: "q".repeat(64) }, "queueName"),
  scheduling(
    "a spread over nothing",
    { topologySpread: [{ whenUnsatisfiable: "DoNotSchedule" }] },
    "topologySpread[0]",
  ),
  scheduling("a spread of no consequence", { topologySpread: [{ topologyKey: "zone" }] }, "topologySpread[0]"),
  scheduling("a skew of none", { topologySpread: [{ ...hosts, maxSkew: 0 }] }, "topologySpread[0].maxSkew"),
  scheduling("the same spread twice", { topologySpread: [hosts, { ...hosts, maxSkew: 2 }] }, "topologySpread[1]"),
  spec("a quantity with an exponent", { resources: { requests: { cpu: "1e30" } } }, "spec.resources.requests.cpu"),
  spec("a negative quantity", { resources: { limits: { memory: -1 } } }, "spec.resources.limits.memory"),
  spec("an exponent of three digits", { resources: { limits: { memory: "1e100" } } }, "limits.memory"),
  spec("bytes beyond 64 bits", { resources: { limits: { memory: "1e30" } } }, "spec.resources.limits.memory: must be"),
  spec("half a byte", { resources: { requests: { memory: "512m" } } }, "512Mi (m means thousandths"),
  spec(
    "a few bytes of disk",
    { resources: { limits: { "ephemeral-storage": 4 } } },
    "limits.ephemeral-storage: must be",
  ),
  onNvidia("a few bytes of a device", { memory: 40 }, ".memory: must be 0 or from 1Mi"),
  spec("a unit alone", { resources: { requests: { memory: "Gi" } } }, "spec.resources.requests.memory"),
  spec("bytes as a number with a point", { resources: { requests: { memory: 1.5e9 + 0.5 } } }, "requests.memory"),
  ...[true, [1], { a: 1 }, [], {}, -0.5, "1,5", "", 1_000_000].map((cpu) =>
    spec(`cores that are ${JSON.stringify(cpu)}`, { resources: { limits: { cpu } } }, "spec.resources.limits.cpu"),
  ),
  spec(
    "a request above its limit",
    { resources: { requests: { memory: "2Gi" }, limits: { memory: "2000Mi" } } },
    "spec.resources.requests.memory",
  ),
  spec(
    "a disk request above its limit",
    { resources: { requests: { "ephemeral-storage": "2Gi" }, limits: { "ephemeral-storage": "1e9" } } },
    "spec.resources.requests.ephemeral-storage",
  ),
  spec("fewer replicas than none", { scaling: { minReplicas: -1 } }, "spec.scaling.minReplicas"),
  spec("at most fewer than at least", { scaling: { minReplicas: 3, maxReplicas: 2 } }, "spec.scaling.maxReplicas"),
  spec("a target for a number that is fixed", { scaling: { target: { concurrency: 2 } } }, "spec.scaling.target"),
  spec(
    "two targets",
    { scaling: { maxReplicas: 2, target: { concurrency: 2, utilization: "70%" } } },
    "spec.scaling.target",
  ),
  spec("a target of no percentage", { scaling: { maxReplicas: 2, target: { utilization: "0.7" } } }, "utilization"),
  spec(
    "a latency without a unit",
    { scaling: { maxReplicas: 2, target: { latencyP95: "200" } } },
    "spec.scaling.target.latencyP95",
  ),
  spec("an idle time before one pod", { scaling: { idleBeforeZero: "5m" } }, "spec.scaling.idleBeforeZero"),
  spec(
    "an idle time of a second",
    { scaling: { minReplicas: 0, idleBeforeZero: "1s" } },
    "spec.scaling.idleBeforeZero",
  ),
  spec(
    "a schedule above the ceiling",
    { scaling: { maxReplicas: 2, schedule: [{ cron: "0 8 * * *", minReplicas: 3 }] } },
    "spec.scaling.schedule",
  ),
  spec(
    "a schedule without a range to move in",
    { scaling: { minReplicas: 2, schedule: [{ cron: "0 8 * * *", minReplicas: 1 }] } },
    "spec.scaling.schedule",
  ),
  ...["0 0 31 2,4,6,9,11 *", "0 0 30 2 *", "0 0 30,31 FEB *", "0 0 31 4 ?"].map((cron) =>
    spec(
      `a schedule that never comes: ${cron}`,
      { scaling: { maxReplicas: 2, schedule: [{ cron, minReplicas: 1 }] } },
      "spec.scaling.schedule[0].cron",
    ),
  ),
  spec(
    "a schedule with what is no cron",
    { scaling: { maxReplicas: 2, schedule: [{ cron: "0 8 1W * +5", minReplicas: 1 }] } },
    "spec.scaling.schedule[0].cron",
  ),
  spec(
    "a schedule with seconds",
    { scaling: { maxReplicas: 2, schedule: [{ cron: "0 0 8 * * *", minReplicas: 1 }] } },
    "spec.scaling.schedule.cron",
  ),
  spec("external with a floor", { scaling: { mode: "external", minReplicas: 500 } }, "spec.scaling.mode"),
  spec("external with a ceiling", { replicas: 2, scaling: { mode: "external", maxReplicas: 3 } }, "spec.scaling.mode"),
  spec("scaled past the router", { scaling: { maxReplicas: 2 }, traffic: { path: "direct" } }, "spec.traffic.path"),
  spec(
    "a stream limit of two hours",
    { traffic: { path: "router", streamIdleTimeout: "2h" } },
    "spec.traffic.streamIdleTimeout",
  ),
  spec("a stream limit past the router", { traffic: { streamIdleTimeout: "10m" } }, "spec.traffic.streamIdleTimeout"),
  spec("1001 replicas", { scaling: { minReplicas: 1001 } }, "spec.scaling.minReplicas"),
  spec("replicas as text", { scaling: { minReplicas: "2" } }, "spec.scaling.minReplicas"),
  spec("an account of another namespace", { serviceAccountName: "other/admin" }, "spec.serviceAccountName"),
  spec(
    "nine pull secrets",
    { imagePullSecrets: Array.from({ length: 9 }, (_, index) => ({ name: `s${index}` })) },
    "spec.imagePullSecrets",
  ),
  spec("the same pull secret twice", { imagePullSecrets: [{ name: "s" }, { name: "s" }] }, "spec.imagePullSecrets[1]"),
];
