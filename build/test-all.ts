/**
 * `npm test`: every fast suite whole and the cluster suite, in the order in which they can start: the control plane is
 * compiled (once; it is kept) while the checks and the unit tests run on sources alone.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { whenInterrupted } from "../test/world/interrupted.ts";
import { reportersTo } from "../test/world/reporters.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const node = process.execPath;

if (process.argv.includes("--help")) {
  console.log(`npm test: everything that CI runs.
  npm run check          types, lint, import arrows, generated files
  npm run test:unit      the tests beside the code
  npm run test:faults -- server   models and clients that do harm to the server
  npm run test:faults -- router   pods and clients that do harm to the router
  npm run test:conformance        real clients of each protocol, and a sample of ONNX's test vectors
  npm run test:faults -- operator   a sample of what can happen to the operator between any two requests
  npm run test:cluster   the operator, chart and server on a real Kubernetes (-- --kubeconfig FILE for another one)`);
  process.exit(0);
}

const started = Date.now();
const elapsed = () => `${Math.round((Date.now() - started) / 1000)} s`;

/** What failed in tests of node:test is told again at the end. */
const told = await mkdtemp(join(tmpdir(), "berth-failures-"));
process.env.BERTH_FAILURES = told;

let running: ChildProcess | undefined;
/** Runs one suite with its own output on ours. Resolves with whether it passed. */
const suite = async (name: string, args: readonly string[]): Promise<boolean> => {
  console.log(`\n=== ${name} (at ${elapsed()})`);
  const child = spawn(node, args, { cwd: root, stdio: "inherit" });
  running = child;
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  console.log(`=== ${name}: ${code === 0 ? "passed" : "FAILED"} (at ${elapsed()})`);
  return code === 0;
};

/** In the background, quiet unless it fails: the cluster suite finds what it has built. */
const tools = spawn(node, [join(root, "test/cluster/main.ts"), "build"], {
  cwd: root,
  stdio: ["ignore", "pipe", "pipe"],
});
let toolsSaid = "";
for (const stream of [tools.stdout, tools.stderr]) {
  stream.setEncoding("utf8").on("data", (text: string) => {
    toolsSaid += text;
    process.stdout.write(text.replace(/^(?=.)/gm, "    [control plane] "));
  });
}
const toolsBuilt = new Promise<number | null>((resolve, reject) => {
  tools.on("error", reject);
  tools.on("close", resolve);
});

whenInterrupted(async (signal) => {
  // a terminal sends the others to the suite as well
  if (signal === "SIGTERM") for (const child of [running, tools]) child?.kill(signal);
  if (running?.exitCode === null && running.signalCode === null) await once(running, "close");
  await rm(told, { recursive: true });
});

const unitGlobs = [
  ...["contract", "operator", "runtime", "build", "examples"],
  ...["test/bench", "test/cluster", "test/conformance", "test/demo", "test/fixtures", "test/soak", "test/world"],
].map((folder) => `${folder}/**/*.test.ts`);

const results = new Map<string, boolean>();
results.set("check", await suite("check", [join(root, "build/check/main.ts")]));
results.set("unit tests", await suite("unit tests", ["--test", ...reportersTo(join(told, "unit")), ...unitGlobs]));
results.set("faults of the server", await suite("faults of the server", [join(root, "test/faults/main.ts"), "server"]));
results.set("faults of the router", await suite("faults of the router", [join(root, "test/faults/main.ts"), "router"]));
results.set("conformance", await suite("conformance", [join(root, "test/conformance/main.ts"), "--sample", "40"]));
if ((await toolsBuilt) === 0) {
  results.set(
    "cluster tests",
    await suite("cluster tests", [join(root, "test/e2e/main.ts"), ...process.argv.slice(2)]),
  );
  results.set(
    "faults of the operator",
    await suite("faults of the operator", [join(root, "test/faults/main.ts"), "operator", "--sample", "2"]),
  );
} else {
  console.log(`the control plane did not build:\n${toolsSaid.slice(-4000)}`);
  results.set("cluster tests", false);
}

for (const file of (await readdir(told)).toSorted()) {
  const text = await readFile(join(told, file), "utf8");
  if (text !== "") console.log(`\n--- failed, ${file}\n${text.trimEnd()}`);
}
await rm(told, { recursive: true });
console.log(`\n${[...results].map(([name, passed]) => `${passed ? "ok    " : "FAILED"} ${name}`).join("\n")}`);
console.log(`all of it in ${elapsed()}`);
process.exit([...results.values()].every(Boolean) ? 0 : 1);
