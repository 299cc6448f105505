/**
 * The import arrows of docs/architecture.md as data, and a check of a tree against them. Arrows keep the
 * decisions pure and each library behind one door; a rule that nobody checks is soon broken by one convenient import.
 */

/** A folder, and what its files (tests aside) may import from: folders, and packages by name. */
type Rule = { folder: string; folders: readonly string[]; packages: readonly string[] };

const ANYTHING_OF_NODE = "node:*";

/** Plain types of Kubernetes' objects: no I/O, so that what is pure may know them. */
const OBJECTS = "operator/platform/kube/objects.ts";
/** The Kubernetes engine; it knows nothing of Berth. */
const ENGINE_PACKAGES = ["pino", "prom-client", "zod", ANYTHING_OF_NODE];

/** The API, and what it says of pods. */
const API = ["operator/api", "contract"];

/** What all transports stand on, and what they have in common. */
const BELOW_TRANSPORTS = ["runtime/errors", "runtime/event-loop", "runtime/memory"];
const SOCKETS = ["listen-address", "pace", "places"].map((name) => `runtime/transport/${name}.ts`);
/** Of the inference core, what is asked of it. */
const BELOW_PROTOCOLS = [
  "runtime/errors",
  "runtime/tensors",
  ...["index", "inputs", "strings"].map((name) => `runtime/inference/${name}.ts`),
];

/** From below to above: platform and api, domain, cluster and apply, controllers. The longest matching folder decides. */
export const RULES: readonly Rule[] = [
  // What the operator that renders a pod and the program in it agree on: both import it, and it knows neither.
  { folder: "contract", folders: [], packages: ["zod"] },
  { folder: "operator/api", folders: ["contract", OBJECTS], packages: ["zod", "node:crypto"] },
  { folder: "operator/platform/telemetry", folders: [], packages: ["pino", "prom-client", ANYTHING_OF_NODE] },
  {
    folder: "operator/platform/kube",
    folders: ["operator/platform/telemetry"],
    packages: ["@kubernetes/client-node", "undici", "js-yaml", ...ENGINE_PACKAGES],
  },
  {
    folder: "operator/platform/cache",
    folders: ["operator/platform/kube", "operator/platform/telemetry"],
    packages: ENGINE_PACKAGES,
  },
  {
    folder: "operator/platform/controller",
    folders: ["operator/platform/cache", "operator/platform/kube", "operator/platform/telemetry"],
    packages: ENGINE_PACKAGES,
  },
  { folder: "operator/platform/manager", folders: ["operator/platform"], packages: ENGINE_PACKAGES },
  // Pure: plain data in, plain data out.
  { folder: "operator/domain/placement", folders: [...API, OBJECTS], packages: [] },
  { folder: "operator/domain/pods", folders: [...API, OBJECTS], packages: ["zod"] },
  {
    folder: "operator/domain/rollout",
    folders: [...API, OBJECTS],
    packages: ["zod", "node:crypto", "node:v8", "node:zlib"],
  },
  {
    folder: "operator/domain/scaling",
    folders: [...API, OBJECTS, "operator/domain/placement"],
    packages: [],
  },
  { folder: "operator/domain/traffic", folders: [...API, OBJECTS], packages: [] },
  {
    folder: "operator/domain/diagnosis",
    folders: [...API, OBJECTS, "operator/domain/placement", "operator/domain/pods"],
    packages: ["zod"],
  },
  // What is asked, not watched.
  {
    folder: "operator/cluster/pod-clients",
    folders: API,
    packages: ["undici", "zod", "node:timers/promises"],
  },
  {
    folder: "operator/cluster/capacity",
    folders: [...API, "operator/domain/placement", "operator/platform/kube"],
    packages: [],
  },
  {
    folder: "operator/cluster/routers",
    folders: [
      ...API,
      "operator/domain/rollout",
      "operator/domain/traffic",
      "operator/platform/cache",
      "operator/platform/kube",
    ],
    packages: [],
  },
  // Pure, but for what carries a write out, which is given the client.
  {
    folder: "operator/apply",
    folders: [
      ...API,
      "operator/platform/kube/client.ts",
      "operator/platform/kube/errors.ts",
      "operator/platform/kube/json.ts",
      OBJECTS,
      "operator/platform/controller/events.ts",
    ],
    packages: ["node:crypto"],
  },
  // No controller imports another: main gives each what it needs of the others.
  ...["autoscaler", "evidence", "namespace-router", "model-deployment"].map((name) => ({
    folder: `operator/controllers/${name}`,
    folders: [...API, "operator/apply", "operator/cluster", "operator/domain", "operator/platform"],
    packages: ["zod", "pino", "prom-client", "node:crypto", "node:util", "node:timers/promises"],
  })),
  // Pure parts of a controller.
  {
    folder: "operator/controllers/model-deployment/children",
    folders: [
      ...API,
      "operator/apply",
      OBJECTS,
      "operator/platform/kube/resources.ts",
      "operator/controllers/model-deployment",
    ],
    packages: ["node:crypto"],
  },
  ...["plan", "findings", "protection"].map((stem) => ({
    folder: `operator/controllers/model-deployment/${stem}`,
    folders: [
      ...API,
      "operator/apply",
      "operator/domain",
      OBJECTS,
      "operator/platform/kube/resources.ts",
      "operator/controllers/model-deployment",
    ],
    packages: [],
  })),
  {
    folder: "operator",
    folders: ["operator", "contract"],
    packages: ENGINE_PACKAGES,
  },
  // The runtime, from below to above as well.
  { folder: "runtime/errors", folders: ["contract"], packages: ["node:fs"] },
  { folder: "runtime/event-loop", folders: [], packages: [] },
  { folder: "runtime/memory", folders: ["runtime/errors", "runtime/event-loop"], packages: [ANYTHING_OF_NODE] },
  { folder: "runtime/tensors", folders: [], packages: ["node:buffer"] },
  { folder: "runtime/telemetry", folders: ["contract"], packages: ["pino", "prom-client", "node:fs", "node:http"] },
  { folder: "runtime/command-line", folders: [], packages: ["node:util"] },
  { folder: "runtime/models", folders: ["runtime/errors", "runtime/tensors"], packages: [ANYTHING_OF_NODE] },
  {
    folder: "runtime/models/fetch",
    folders: ["contract", "runtime/command-line", "runtime/errors", "runtime/telemetry"],
    packages: ["undici", ANYTHING_OF_NODE],
  },
  {
    folder: "runtime/engine",
    folders: ["runtime/errors", "runtime/models", "runtime/tensors"],
    packages: ["onnxruntime-node", ANYTHING_OF_NODE],
  },
  // Bytes of connections; shared by server and router. No tensor and no model is known here.
  { folder: "runtime/transport", folders: BELOW_TRANSPORTS, packages: [ANYTHING_OF_NODE] },
  { folder: "runtime/transport/http", folders: [...BELOW_TRANSPORTS, ...SOCKETS], packages: [ANYTHING_OF_NODE] },
  {
    folder: "runtime/transport/http2",
    folders: [...BELOW_TRANSPORTS, ...SOCKETS, "runtime/transport/http"],
    packages: [ANYTHING_OF_NODE],
  },
  {
    folder: "runtime/transport/grpc",
    folders: [...BELOW_TRANSPORTS, ...SOCKETS, "runtime/transport/http", "runtime/transport/http2"],
    packages: ["@grpc/grpc-js", "@grpc/proto-loader", "@grpc/reflection", ANYTHING_OF_NODE],
  },
  // The inference core: what is asked of it, and the queue, the processes that run the model, and the model's graph.
  { folder: "runtime/inference", folders: ["runtime/errors", "runtime/tensors"], packages: [] },
  { folder: "runtime/inference/graph", folders: ["runtime/models"], packages: ["node:fs"] },
  {
    folder: "runtime/inference/shards",
    folders: [
      "contract",
      "runtime/engine",
      "runtime/errors",
      "runtime/event-loop",
      "runtime/inference/graph",
      "runtime/models",
      "runtime/tensors",
    ],
    packages: ["zod", ANYTHING_OF_NODE],
  },
  {
    folder: "runtime/inference/batching",
    folders: ["runtime/errors", "runtime/event-loop", "runtime/inference", "runtime/memory", "runtime/tensors"],
    packages: ["node:crypto"],
  },
  // Bytes to tensors and back. The queue is known by what is asked of it alone.
  { folder: "runtime/protocols/json", folders: BELOW_PROTOCOLS, packages: ["node:buffer"] },
  {
    folder: "runtime/protocols",
    folders: [...BELOW_PROTOCOLS, "runtime/transport/http", "runtime/transport/grpc"],
    packages: ["zod", "node:perf_hooks"],
  },
  // What is put together. Neither of the two knows the other.
  {
    folder: "runtime/router",
    folders: [
      "contract",
      "runtime/command-line",
      "runtime/errors",
      "runtime/event-loop",
      "runtime/memory",
      "runtime/protocols",
      "runtime/telemetry",
      "runtime/tensors",
      "runtime/transport",
    ],
    packages: ["undici", "zod", ANYTHING_OF_NODE],
  },
  {
    folder: "runtime/server",
    folders: [
      "contract",
      "runtime/command-line",
      "runtime/engine",
      "runtime/errors",
      "runtime/event-loop",
      "runtime/inference",
      "runtime/memory",
      "runtime/protocols",
      "runtime/telemetry",
      "runtime/tensors",
      "runtime/transport",
    ],
    packages: ["zod", ANYTHING_OF_NODE],
  },
  { folder: "runtime", folders: ["runtime"], packages: [ANYTHING_OF_NODE] },
];

export type Import = { from: string; to: string };

/** The specifiers that a source imports, exports from, or imports at run time. */
export const specifiersOf = (source: string): string[] =>
  [
    ...source.matchAll(
      /^(?:import|export)(?:[\s\w{},*$]+?from)?\s*["']([^"']+)["']|^\} from ["']([^"']+)["']|\bimport\(["']([^"']+)["']\)/gm,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3] ?? "");

/** One line for each import that no rule allows; `to` is a path from the repository's root, or a package's name. */
export const violations = (imports: readonly Import[], rules: readonly Rule[] = RULES): string[] =>
  imports.flatMap(({ from, to }) => {
    const rule = ruleOf(from, rules);
    if (rule === undefined || isAllowed(rule, to)) return [];
    const allowed = [rule.folder, ...rule.folders, ...rule.packages].join(", ");
    return [`${from} imports ${to}: ${rule.folder} may import only ${allowed}`];
  });

const ruleOf = (file: string, rules: readonly Rule[]): Rule | undefined =>
  rules
    .filter(({ folder }) => isBelow(file, folder))
    .sort((one, other) => other.folder.length - one.folder.length)
    .at(0);

const isAllowed = (rule: Rule, to: string): boolean =>
  [rule.folder, ...rule.folders].some((folder) => isBelow(to, folder)) ||
  rule.packages.some((name) => (name === ANYTHING_OF_NODE ? to.startsWith("node:") : to === name));

// A rule may name a file or the stem of one: `plan` covers plan.ts and plan/.
const isBelow = (path: string, folder: string): boolean =>
  path === folder || path === `${folder}.ts` || path.startsWith(`${folder}/`);
