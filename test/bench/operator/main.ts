/** `npm run bench -- operator`: the real operator on a real control plane, beside what others had. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadAll } from "js-yaml";
import { z } from "zod";
import { CATALOGUE } from "../../../build/images/catalogue.ts";
import { codeEntries } from "../../../build/images/contents.ts";
import { strippedPath } from "../../../build/images/stripped.ts";
import { writeTree } from "../../../build/images/tree.ts";
import { type Cluster, ensureTools, up } from "../../cluster/index.ts";
import { type Operator, startOperator } from "../../faults/operator/operator-process.ts";
import { upstreamOf } from "../../faults/operator/upstream.ts";
import { OPERATOR_NAMESPACE } from "../../world/helm.ts";
import { buildImages, ROOT, version } from "../../world/index.ts";
import { whenInterrupted } from "../../world/interrupted.ts";
import { auditPolicy } from "./audit.ts";
import { IMAGE_FAULT, type Named, nameFault, OTHER_FAULTS } from "./faults.ts";
import { limitNamespace, openHarness } from "./harness.ts";
import { ensureKwok, KWOK_SCHEDULING, kwokNodes, startKwok } from "./kwok.ts";
import { HELP, type Options, parseOptions } from "./options.ts";
import { change, create, idle, peakMiB } from "./phases.ts";
import { markdown, type Results, type Run } from "./report.ts";
import { followRequests } from "./requests.ts";
import { restart } from "./restart.ts";
import { measureScaled, SCALED } from "./scaled.ts";

const CLUSTER = "bench";
const ACCOUNT = "berth-operator";
const USER = `system:serviceaccount:${OPERATOR_NAMESPACE}:${ACCOUNT}`;
const NO_IMAGE = "localhost/nope:1";
const FAULTS_NAMESPACE = "bench-faults";
/** After its start, the operator's caches are full and it has taken the lease. */
const SETTLE_MS = 3_000;

const begun = Date.now();
const say = (line: string): void => console.log(`${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`);

/** 20 requests a second, which these have by default, would hide the operator; KWOK reports for its nodes too seldom where all cores are busy, and never takes back that a pod is not ready. */
const raised = { "kube-api-qps": "500", "kube-api-burst": "1000" };
const flagsOf = (audit: { policy: string; log: string }) => ({
  "kube-apiserver": { "audit-policy-file": audit.policy, "audit-log-path": audit.log },
  "kube-controller-manager": { ...raised, "node-monitor-grace-period": "10m" },
  "kube-scheduler": raised,
});

const isDeployment = (one: unknown): boolean =>
  typeof one === "object" && one !== null && "kind" in one && one.kind === "Deployment";
const manifests = (): unknown[] =>
  loadAll(readFileSync(join(ROOT, "config/berth.yaml"), "utf8")).filter((one) => one !== null);

const operatorDeployment = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.array(z.object({ env: z.array(z.object({ name: z.string(), value: z.string().optional() })) })),
      }),
    }),
  }),
});

/** How the chart starts Node. Its folder for compiled code lives as long as a pod: here, as long as the bench. */
const nodeEnvironment = (folder: string): Record<string, string> => {
  const [container] = operatorDeployment.parse(manifests().find(isDeployment)).spec.template.spec.containers;
  const set = (container?.env ?? []).flatMap(({ name, value }) =>
    name.startsWith("NODE_") && value !== undefined ? [[name, value] as const] : [],
  );
  return { ...Object.fromEntries(set), NODE_COMPILE_CACHE: join(folder, "compiled") };
};

/** The operator's code as its image holds it. */
const layOutProgram = async (folder: string): Promise<string> => {
  await writeTree(await codeEntries(ROOT, CATALOGUE.operator, await version()), folder);
  symlinkSync(join(ROOT, "node_modules"), join(folder, "app/node_modules"));
  return join(folder, "app", strippedPath(CATALOGUE.operator.entry));
};

const namespace = (name: string): object => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });

const install = async ({ kubectl }: Cluster): Promise<string> => {
  const apply = (items: readonly unknown[]) =>
    kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], {
      input: JSON.stringify({ apiVersion: "v1", kind: "List", items }),
    });
  await apply([namespace(OPERATOR_NAMESPACE), namespace(FAULTS_NAMESPACE), ...kwokNodes()]);
  await apply(manifests().filter((one) => !isDeployment(one)));
  await kubectl(["wait", "--for=condition=Established", "crd/modeldeployments.berth.dev"]);
  await kubectl(["wait", "--for=condition=Ready", "nodes", "-l", "type=kwok", "--timeout=60s"]);
  return (await kubectl(["create", "token", ACCOUNT, "-n", OPERATOR_NAMESPACE, "--duration=24h"])).stdout.trim();
};

type Start = (image?: string) => Promise<Operator>;

const measure = async (cluster: Cluster, log: string, count: number, options: Options, start: Start): Promise<Run> => {
  const name = `bench-${count}`;
  for (const each of [name, limitNamespace(name)]) await cluster.kubectl(["create", "namespace", each]);
  const model = { uri: "https://models.example.com/digits.onnx" };
  const harness = await openHarness(cluster.hostKubeconfig, name, { model, scheduling: KWOK_SCHEDULING });
  const requests = followRequests(log);
  let operator = await start();
  try {
    await sleep(SETTLE_MS);
    const subject = { harness, requests, operator, count };
    const created = await create(subject);
    say(
      `${count} objects: children after ${created.childrenExistSeconds.toFixed(1)} s, Ready after ${created.allReadySeconds.toFixed(1)} s`,
    );
    const atRest = await idle(subject, options.idleSeconds);
    const changed = await change(subject, options.changes, 31_000);
    say(`${count} objects: a change is in its child after ${changed.acceptedToChildMs.p50.toFixed(1)} ms`);
    const peak = peakMiB(operator);
    const { operator: successor, ...restarted } = await restart(subject, options.restarts, 40_000, start);
    operator = successor;
    say(`${count} objects: restarts served a change after ${restarted.servedMs.map(Math.round).join(", ")} ms`);
    const at = performance.now();
    await harness.deleteAll(count);
    const gone = await harness.until("all children are gone", () => harness.children().length === 0, 300);
    return {
      count,
      created,
      idle: atRest,
      changed,
      restarted,
      peakMiB: peak,
      deletedSeconds: (gone - at) / 1000,
    };
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}; the operator:\n${operator.log()}`, {
      cause: error,
    });
  } finally {
    await operator.stop();
    await harness.close();
    await cluster.kubectl(["delete", "namespace", name, limitNamespace(name), "--wait=false"]);
  }
};

const measureFaults = async (cluster: Cluster, start: Start): Promise<Named[]> => {
  await cluster.load(await buildImages(say));
  const withoutImage = await start(NO_IMAGE);
  const image = await nameFault(cluster, FAULTS_NAMESPACE, IMAGE_FAULT);
  await withoutImage.stop();
  const operator = await start(`localhost/berth-runtime:${await version()}`);
  const others: Named[] = [];
  for (const fault of OTHER_FAULTS) others.push(await nameFault(cluster, FAULTS_NAMESPACE, fault));
  await operator.stop();
  return [image, ...others];
};

const machine = (): string =>
  `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0]?.model ?? "processor unknown"}, Node ${process.version}`;

/** Resolves to the process's exit code. */
export const benchOperator = async (args: readonly string[]): Promise<number> => {
  let options: Options | undefined;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`bench operator: ${error instanceof Error ? error.message : error} (--help lists the options)`);
    return 2;
  }
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  await ensureTools(say);
  const kwok = await ensureKwok(say);
  const folder = mkdtempSync(join(tmpdir(), "berth-bench-"));
  const audit = { policy: join(folder, "policy.json"), log: join(folder, "audit.log") };
  writeFileSync(audit.policy, JSON.stringify(auditPolicy(USER)));
  const cluster = await up({ name: CLUSTER, nodes: 1, devices: 4, flags: flagsOf(audit) }, say);
  const end = async (): Promise<void> => {
    await cluster.down();
    rmSync(folder, { recursive: true, force: true });
  };
  whenInterrupted(end);
  try {
    const nodes = startKwok(cluster, kwok);
    const token = await install(cluster);
    const { authority, host, port } = await upstreamOf(cluster.hostKubeconfig);
    const program = await layOutProgram(folder);
    const startWith = (image: string, env: Record<string, string>): Promise<Operator> =>
      startOperator(
        { args: ["--runtime-image", image], token, authority, env, program },
        `https://${host}:${port}`,
        "bench",
        [],
      );
    const usual = nodeEnvironment(folder);
    const start: Start = (image = "localhost/none:1") => startWith(image, usual);
    if (options.scaled) {
      const startScaled = (pods: { port: number; preload: string }): Promise<Operator> => {
        const NODE_OPTIONS = `${usual.NODE_OPTIONS ?? ""} --import ${pods.preload}`;
        return startWith("localhost/none:1", { ...usual, NODE_OPTIONS, BENCH_PODS_PORT: String(pods.port) });
      };
      const told = await measureScaled(cluster, audit.log, options.idleSeconds, startScaled, say);
      console.log(
        `${SCALED.idle} ModelDeployments that sleep and ${SCALED.busy} with 20 requests a second each, on ${told.pods} pods, over ${told.seconds} s: ` +
          `${told.cpuPercent.toFixed(1)} % of one core, ${told.rssMiB.toFixed(0)} MiB (${told.peakMiB.toFixed(0)} at most), ` +
          `${told.requests} requests to the API server\n${machine()}`,
      );
      return 0;
    }
    const results: Results = { runs: [], faults: [] };
    for (const count of options.objects) results.runs.push(await measure(cluster, audit.log, count, options, start));
    nodes.kill("SIGKILL");
    if (options.faults) results.faults = await measureFaults(cluster, start);
    mkdirSync(dirname(options.json), { recursive: true });
    writeFileSync(options.json, `${JSON.stringify(results, undefined, 1)}\n`);
    console.log(`\n${markdown(results)}\n`);
    console.log(`${machine()}; every figure: ${options.json}`);
    return 0;
  } catch (error) {
    console.error(`bench operator: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    await end();
  }
};
