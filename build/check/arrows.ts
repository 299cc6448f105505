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

/** From below to above: platform and api, domain, cluster and apply, controllers. The longest matching folder decides. */
export const RULES: readonly Rule[] = [
  { folder: "operator/api", folders: [OBJECTS], packages: ["zod", "node:crypto"] },
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
  { folder: "operator/domain/placement", folders: ["operator/api", OBJECTS], packages: [] },
  { folder: "operator/domain/pods", folders: ["operator/api", OBJECTS], packages: ["zod"] },
  {
    folder: "operator/domain/rollout",
    folders: ["operator/api", OBJECTS],
    packages: ["zod", "node:crypto", "node:v8", "node:zlib"],
  },
  {
    folder: "operator/domain/scaling",
    folders: ["operator/api", OBJECTS, "operator/domain/placement"],
    packages: [],
  },
  { folder: "operator/domain/traffic", folders: ["operator/api", OBJECTS], packages: [] },
  {
    folder: "operator/domain/diagnosis",
    folders: ["operator/api", OBJECTS, "operator/domain/placement", "operator/domain/pods"],
    packages: ["zod"],
  },
  // What is asked, not watched.
  {
    folder: "operator/cluster/pod-clients",
    folders: ["operator/api"],
    packages: ["undici", "zod", "node:timers/promises"],
  },
  {
    folder: "operator/cluster/capacity",
    folders: ["operator/api", "operator/domain/placement", "operator/platform/kube"],
    packages: [],
  },
  {
    folder: "operator/cluster/routers",
    folders: [
      "operator/api",
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
      "operator/api",
      "operator/platform/kube/client.ts",
      "operator/platform/kube/errors.ts",
      OBJECTS,
      "operator/platform/controller/events.ts",
    ],
    packages: ["node:crypto"],
  },
  // No controller imports another: main gives each what it needs of the others.
  ...["autoscaler", "evidence", "namespace-router", "model-deployment"].map((name) => ({
    folder: `operator/controllers/${name}`,
    folders: ["operator/api", "operator/apply", "operator/cluster", "operator/domain", "operator/platform"],
    packages: ["zod", "pino", "node:crypto", "node:util", "node:timers/promises"],
  })),
  // Pure parts of a controller.
  {
    folder: "operator/controllers/model-deployment/children",
    folders: [
      "operator/api",
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
      "operator/api",
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
    folders: ["operator"],
    packages: ENGINE_PACKAGES,
  },
  {
    folder: "runtime",
    folders: ["operator/api"],
    packages: [
      "@grpc/grpc-js",
      "@grpc/proto-loader",
      "@grpc/reflection",
      "onnxruntime-node",
      "onnxruntime-common",
      "pino",
      "prom-client",
      "undici",
      "zod",
      ANYTHING_OF_NODE,
    ],
  },
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
