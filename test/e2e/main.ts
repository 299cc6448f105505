/** `npm run test:cluster`: enters the world, runs the cluster tests in it, and shows the cluster's logs when one fails. */
import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { OPERATOR_NAMESPACE } from "../world/helm.ts";
import { enterWorld, ROOT, type World } from "../world/index.ts";

const HELP = `npm run test:cluster [-- OPTIONS] [FILE…]   the tests in test/e2e, on a real Kubernetes
  FILE               only these, such as: examples update
  --kubeconfig FILE  any other cluster instead of the dev cluster
  --name NAME        name of the dev cluster (default e2e)
  --keep             leave the cluster up afterwards; npm run cluster -- down --name e2e ends it`;

/** These disturb everybody else: one after the other, when the rest is done. */
const DISRUPTIVE = ["operator-killed", "devices", "install"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kubeconfig: { type: "string" },
    name: { type: "string", default: "e2e" },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const started = Date.now();
const report = (line: string) => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);

const filesOf = async (): Promise<string[]> => {
  const all = (await readdir(join(ROOT, "test/e2e")))
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => file.replace(/\.test\.ts$/, ""));
  const unknown = positionals.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`no test file ${unknown.join(", ")}; there are: ${all.join(", ")}`);
  return positionals.length > 0 ? positionals : all;
};

const runFiles = (world: World, names: readonly string[], concurrency: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const files = names.map((name) => join(ROOT, "test/e2e", `${name}.test.ts`));
    const child = spawn(process.execPath, ["--test", `--test-concurrency=${concurrency}`, ...files], {
      cwd: ROOT,
      stdio: "inherit",
      env: { ...process.env, BERTH_WORLD: JSON.stringify(world.handle) },
    });
    child.on("error", reject);
    child.on("close", (code) => resolve(code === 0));
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
};

const names = await filesOf();
const world = await enterWorld({ name: values.name, nodes: 2, kubeconfig: values.kubeconfig }, report);
let passed = false;
try {
  const [calm, disruptive] = [
    names.filter((name) => !DISRUPTIVE.includes(name)),
    DISRUPTIVE.filter((name) => names.includes(name)),
  ];
  // Three at once: the tests wait for the cluster far more than they compute.
  passed = calm.length === 0 || (await runFiles(world, calm, 3));
  if (disruptive.length > 0) passed = (await runFiles(world, disruptive, 1)) && passed;
  if (!passed) await showLogs(world);
} finally {
  if (values.keep) {
    report(`left as it is: export KUBECONFIG=${world.cluster.hostKubeconfig}`);
  } else if (values.kubeconfig === undefined) {
    await world.cluster.down();
    report("cluster taken down");
  } else {
    await world.leave();
  }
}
process.exit(passed ? 0 : 1);
