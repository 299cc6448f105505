/**
 * The import arrows of docs/architecture.md as data, and a check of a tree against them. Arrows keep the
 * decisions pure and each library behind one door; a rule that nobody checks is soon broken by one convenient import.
 */

/** A folder, and what its files (tests aside) may import from: folders, and packages by name. */
type Rule = { folder: string; folders: readonly string[]; packages: readonly string[] };

const ANYTHING_OF_NODE = "node:*";

/** The longest matching folder decides. */
export const RULES: readonly Rule[] = [
  { folder: "operator/api", folders: ["operator/kube/objects.ts"], packages: ["zod", "node:crypto"] },
  { folder: "operator/telemetry", folders: [], packages: ["pino", "prom-client", ANYTHING_OF_NODE] },
  {
    folder: "operator/kube",
    folders: ["operator/telemetry", "operator/api"],
    packages: ["@kubernetes/client-node", "undici", "js-yaml", "zod", "pino", "prom-client", ANYTHING_OF_NODE],
  },
  {
    folder: "operator/cache",
    folders: ["operator/kube", "operator/telemetry", "operator/api"],
    packages: ["pino", "prom-client", "zod", ANYTHING_OF_NODE],
  },
  {
    folder: "operator/controller",
    folders: ["operator/cache", "operator/kube", "operator/telemetry", "operator/api"],
    packages: ["pino", "prom-client", "zod", ANYTHING_OF_NODE],
  },
  {
    folder: "operator/manager",
    folders: ["operator/controller", "operator/cache", "operator/kube", "operator/telemetry", "operator/api"],
    packages: ["pino", "prom-client", "zod", ANYTHING_OF_NODE],
  },
  // Pure, but for the survey, which lists through the client.
  { folder: "operator/placement", folders: ["operator/api", "operator/kube"], packages: [] },
  // Pure, but for what carries an action out, which is given the client.
  {
    folder: "operator/apply",
    folders: [
      "operator/api",
      "operator/kube/objects.ts",
      "operator/kube/client.ts",
      "operator/kube/errors.ts",
      "operator/controller/events.ts",
    ],
    packages: ["node:crypto"],
  },
  {
    folder: "operator/traffic",
    folders: [
      "operator/api",
      "operator/apply",
      "operator/controller",
      "operator/cache/indexed-store.ts",
      "operator/cache/store.ts",
      "operator/kube",
    ],
    packages: [],
  },
  // Pure, but for the observer, which is given what asks the routers.
  {
    folder: "operator/rollout",
    folders: ["operator/api", "operator/kube/objects.ts", "operator/traffic/routers.ts"],
    packages: ["zod", "node:crypto", "node:v8", "node:zlib"],
  },
  // Pure, but for the loop, which is given what asks routers and servers.
  {
    folder: "operator/scaling",
    folders: ["operator/api", "operator/kube/objects.ts", "operator/placement"],
    packages: ["node:timers/promises"],
  },
  { folder: "operator/pods", folders: ["operator/api"], packages: ["undici", "zod", "node:timers/promises"] },
  {
    folder: "operator/model-deployment",
    folders: [
      "operator/api",
      "operator/apply",
      "operator/controller",
      "operator/cache/by-identity.ts",
      "operator/cache/deep-freeze.ts",
      "operator/cache/store.ts",
      "operator/kube",
      "operator/placement",
      "operator/rollout",
      "operator/scaling",
      "operator/traffic",
    ],
    packages: ["zod", "pino", "node:crypto", "node:util"],
  },
  // Pure: plain data in, plain data out.
  {
    folder: "operator/model-deployment/children",
    folders: [
      "operator/api",
      "operator/apply",
      "operator/kube/objects.ts",
      "operator/kube/resources.ts",
      "operator/model-deployment",
    ],
    packages: ["node:crypto"],
  },
  {
    folder: "operator/model-deployment/explain",
    folders: [
      "operator/api",
      "operator/kube/objects.ts",
      "operator/model-deployment",
      "operator/placement/admits.ts",
      "operator/placement/request.ts",
      "operator/placement/room.ts",
      "operator/placement/shortage.ts",
    ],
    packages: ["zod"],
  },
  ...["plan", "findings", "protection"].map((stem) => ({
    folder: `operator/model-deployment/${stem}`,
    folders: [
      "operator/api",
      "operator/apply",
      "operator/kube/objects.ts",
      "operator/kube/resources.ts",
      "operator/model-deployment",
    ],
    packages: [],
  })),
  {
    folder: "operator",
    folders: ["operator"],
    packages: ["pino", "prom-client", "zod", ANYTHING_OF_NODE],
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
