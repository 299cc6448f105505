/** `npm run test:cluster`: enters the world, runs the cluster tests in it, and shows the cluster's logs when one fails. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseArguments } from "../../build/parse-arguments.ts";
import { familyChoices } from "../cluster/plan.ts";
import { OPERATOR_NAMESPACE } from "../world/helm.ts";
import { enterWorld, ROOT, type World } from "../world/index.ts";
import { whenInterrupted } from "../world/interrupted.ts";
import { reportersTo } from "../world/reporters.ts";

/** These take minutes each. Unless they are named, or all are asked for, one of them runs, another one each day. */
const SLOW = [
  "rollout-harm",
  "rollout-capacity",
  "rollout-outages",
  "rollout-killed",
  "scaling-bounds",
  "releases",
  "older-crd",
  "rotation",
  "refused-writes",
  "families",
  "causes",
  "batching-ended",
];
/** And this one wants the machine for itself: it measures. It runs only when it is named or all are asked for. */
const SLOWEST = ["rollout-latency"];
const SAMPLE = 1;

const HELP = `npm run test:cluster [-- OPTIONS] [FILE…]   the tests of operator, chart and engine on a real Kubernetes
  FILE               only these, such as: examples update
  --kubeconfig FILE  any other cluster instead of the dev cluster; it must have the images of npm run build:images
                     and two nodes that offer at least 3 and fewer than 12 nvidia.com/gpu between them
  --name NAME        name of the dev cluster (default e2e)
  --families F       of the dev cluster's addresses: ${familyChoices.join(" or ")} (default ${familyChoices[0]})
  --all              every file, also those that take long: ${[...SLOW, ...SLOWEST].join(", ")};
                     otherwise one of these, by the day
  --keep             leave the cluster up afterwards; npm run cluster -- down --name e2e ends it`;

/** These break, or have, what only the dev cluster can. */
const DEV_CLUSTER_ONLY = ["devices", "causes", "rollout-killed"];

/** These disturb everybody else: one after the other, in this order, when the rest is done. The last one uninstalls. */
const DISRUPTIVE = [
  "refused-writes",
  "placement",
  "operator-killed",
  "rollout-killed",
  "scaling-bounds",
  "operator-upgrade",
  "older-crd",
  "ownership",
  "devices",
  "releases",
  "install",
];

const { values, positionals } = parseArguments("npm run test:cluster --", {
  allowPositionals: true,
  options: {
    kubeconfig: { type: "string" },
    name: { type: "string", default: "e2e" },
    families: { type: "string" },
    keep: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const families = familyChoices.find((one) => one === values.families);
if (families === undefined && values.families !== undefined)
  throw new Error(`--families must be one of ${familyChoices.join(" or ")}, not "${values.families}"`);

const started = Date.now();
const report = (line: string) => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);

const FOLDERS = ["chart", "engine", "e2e"];

/** The test files by name. The chart's and the engine's only want Helm and an API server, and both are here. */
const testFiles = async (): Promise<Map<string, string>> => {
  const listed = await Promise.all(
    FOLDERS.map(async (folder) =>
      (await readdir(join(ROOT, "test", folder))).map((file) => join(ROOT, "test", folder, file)),
    ),
  );
  const tests = listed.flat().filter((file) => file.endsWith(".test.ts"));
  return new Map(tests.map((file) => [basename(file, ".test.ts"), file]));
};

const namesOf = (files: ReadonlyMap<string, string>): string[] => {
  const all = [...files.keys()];
  const unknown = positionals.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`no test file ${unknown.join(", ")}; there are: ${all.join(", ")}`);
  if (positionals.length > 0) return positionals;
  return values.all ? all : all.filter((name) => !SLOWEST.includes(name) && (!SLOW.includes(name) || isOfToday(name)));
};

const DAY_MS = 86_400_000;
const seed = Math.floor(Date.now() / DAY_MS);
/** Those that follow each other, round and round. */
const isOfToday = (name: string): boolean =>
  (SLOW.indexOf(name) - (seed % SLOW.length) + SLOW.length) % SLOW.length < SAMPLE;

let runs = 0;
let running: ChildProcess | undefined;
const runFiles = (world: World, chosen: readonly string[], concurrency: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const told = process.env.BERTH_FAILURES;
    const reporters = told === undefined ? [] : reportersTo(join(told, `cluster-${++runs}`));
    const child = spawn(process.execPath, ["--test", `--test-concurrency=${concurrency}`, ...reporters, ...chosen], {
      cwd: ROOT,
      stdio: "inherit",
      env: {
        ...process.env,
        BERTH_WORLD: JSON.stringify(world.handle),
        BERTH_HELM: world.handle.helm,
        BERTH_KUBECONFIG: world.cluster.hostKubeconfig,
      },
    });
    running = child;
    child.on("error", reject);
    child.on("close", (code) => {
      running = undefined;
      resolve(code === 0);
    });
  });

const showLogs = async (world: World): Promise<void> => {
  const commands = [
    ["logs", "-n", OPERATOR_NAMESPACE, "-l", "app.kubernetes.io/name=berth-operator", "--tail=80", "--prefix"],
    ["get", "mdeploy,pods", "-A", "-o", "wide"],
    ["get", "events", "-A", "--sort-by=.lastTimestamp"],
  ];
  for (const command of commands) {
    const shown = await world.cluster.kubectl(command).catch((error: unknown) => ({ stdout: String(error) }));
    console.log(`\n--- kubectl ${command.join(" ")}\n${shown.stdout.split("\n").slice(-80).join("\n")}`);
  }
  if (world.cluster.own) console.log(`\n--- the cluster's components\n${await world.cluster.logs({ tail: 10 })}`);
};

const files = await testFiles();
const chosen = namesOf(files);
const impossible = values.kubeconfig === undefined ? [] : chosen.filter((name) => DEV_CLUSTER_ONLY.includes(name));
if (impossible.length > 0) report(`left out, because they need the dev cluster: ${impossible.join(", ")}`);
if (positionals.length === 0 && !values.all) {
  const sampled = SLOW.filter((name) => chosen.includes(name));
  report(`of the slow files, by seed ${seed}: ${sampled.join(", ")}; all of them with --all`);
}
const names = chosen.filter((name) => !impossible.includes(name));
const pathsOf = (some: readonly string[]): string[] => some.flatMap((name) => files.get(name) ?? []);
const entered = enterWorld({ name: values.name, nodes: 2, kubeconfig: values.kubeconfig, families }, report);
const cleanUp = async (world: World): Promise<void> => {
  if (values.kubeconfig !== undefined) return world.leave();
  await world.cluster.down();
  report("cluster taken down");
};
whenInterrupted(async (signal) => {
  running?.kill(signal);
  if (!values.keep) await cleanUp(await entered);
});
const world = await entered;
let passed = false;
try {
  const [calm, disruptive] = [
    names.filter((name) => !DISRUPTIVE.includes(name)),
    DISRUPTIVE.filter((name) => names.includes(name)),
  ];
  // Two at once: the tests wait for the cluster far more than they compute, but their pods compute as they start.
  passed = calm.length === 0 || (await runFiles(world, pathsOf(calm), 2));
  for (const name of disruptive) passed = (await runFiles(world, pathsOf([name]), 1)) && passed;
  if (!passed) await showLogs(world);
} finally {
  if (values.keep) {
    report(`left as it is: export KUBECONFIG=${world.cluster.hostKubeconfig}`);
  } else {
    await cleanUp(world);
  }
}
process.exit(passed ? 0 : 1);
