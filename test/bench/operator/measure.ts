/** Create, change and restart of N ModelDeployments on KWOK nodes: figures as they come, on standard output. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadAll } from "js-yaml";
import { formatDuration } from "../../../operator/api/v1alpha1/duration.ts";
import { findCondition, MODEL_DEPLOYMENT_LABEL, MODEL_DEPLOYMENTS } from "../../../operator/api/v1alpha1/index.ts";
import { createCaches } from "../../../operator/cache/caches.ts";
import { createClient } from "../../../operator/kube/create-client.ts";
import { readKubeConfig } from "../../../operator/kube/kubeconfig.ts";
import { DEPLOYMENTS } from "../../../operator/kube/resources.ts";
import { createTransport } from "../../../operator/kube/transport.ts";
import { createWatch } from "../../../operator/kube/watch.ts";
import { type Cluster, openCluster } from "../../cluster/index.ts";
import { type Operator, startOperator } from "../../faults/operator/operator-process.ts";
import { upstreamOf } from "../../faults/operator/upstream.ts";
import { ROOT } from "../../world/index.ts";
import { cpuSeconds } from "../server/process-tree.ts";
import { gauge, quantile } from "./metrics.ts";

const NAMESPACE = "bench";
const KWOK = { key: "kwok.x-k8s.io/node", value: "fake" };
const NODES = 20;

const node = (index: number): object => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: `kwok-${index}`, annotations: { [KWOK.key]: KWOK.value }, labels: { type: "kwok" } },
  spec: { taints: [{ ...KWOK, effect: "NoSchedule" }] },
  status: {
    capacity: { cpu: "1000", memory: "4Ti", pods: "110" },
    allocatable: { cpu: "1000", memory: "4Ti", pods: "110" },
  },
});

const manifests = (): unknown[] =>
  loadAll(readFileSync(join(ROOT, "config/berth.yaml"), "utf8")).filter(
    (one) => typeof one === "object" && one !== null && "kind" in one && one.kind !== "Deployment",
  );

const install = async ({ kubectl }: Cluster): Promise<string> => {
  const namespace = (name: string): object => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  const apply = (items: readonly unknown[]) =>
    kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], {
      input: JSON.stringify({ apiVersion: "v1", kind: "List", items }),
    });
  await apply([namespace("berth-system"), namespace(NAMESPACE), ...Array.from({ length: NODES }, (_, i) => node(i))]);
  await apply(manifests());
  await kubectl(["wait", "--for=condition=Established", "crd/modeldeployments.berth.dev"]);
  await kubectl(["wait", "--for=condition=Ready", "nodes", "-l", "type=kwok", "--timeout=60s"]);
  return (await kubectl(["create", "token", "berth-operator", "-n", "berth-system"])).stdout.trim();
};

const say = (what: string, value: unknown): void => console.log(`${what.padEnd(40)} ${JSON.stringify(value)}`);
const nameOf = (index: number): string => `m${index}`;

const spec = (timeoutMs: number): object => ({
  model: { uri: "https://models.example.com/digits.onnx" },
  server: { requestTimeout: formatDuration(timeoutMs) },
  scheduling: { nodeSelector: { type: "kwok" }, tolerations: [{ ...KWOK, effect: "NoSchedule" }] },
});

export const measure = async (clusterName: string, kwok: string, count: number): Promise<void> => {
  const cluster = openCluster(clusterName);
  const [program = "", ...args] = cluster.inside([
    ...[kwok, "--kubeconfig", cluster.kubeconfig, "--config", join(import.meta.dirname, "stages.yaml")],
    ...["--manage-all-nodes=false", `--manage-nodes-with-annotation-selector=${KWOK.key}=${KWOK.value}`],
  ]);
  const nodes = spawn(program, args, { stdio: "ignore" });
  process.on("exit", () => nodes.kill("SIGKILL"));
  const token = await install(cluster);
  const { host, port } = await upstreamOf(cluster.hostKubeconfig);
  const start = (): Promise<Operator> =>
    startOperator({ args: ["--runtime-image", "localhost/none:1"], token }, `https://${host}:${port}`, "bench", []);

  const transport = createTransport(readKubeConfig(cluster.hostKubeconfig));
  const client = createClient(transport);
  const caches = createCaches(client, createWatch(transport), (kind, error) => console.log(kind, error.message));
  const models = caches.of(MODEL_DEPLOYMENTS);
  const children = caches.of(DEPLOYMENTS);
  const stop = new AbortController();
  void caches.run(stop.signal);
  while (!caches.hasSynced()) await sleep(20);
  /** When the template of a child first had the text. */
  const seen = new Map<string, number>();
  children.subscribe((change) => {
    if (change.type === "deleted") return;
    const { metadata, spec: child } = change.object;
    const timeout =
      child?.template.spec?.containers[0]?.args?.[
        (child.template.spec.containers[0]?.args?.indexOf("--request-timeout") ?? -2) + 1
      ];
    const key = `${metadata.labels?.[MODEL_DEPLOYMENT_LABEL]} ${timeout}`;
    if (!seen.has(key)) seen.set(key, performance.now());
  });
  const apply = (index: number, timeoutMs: number) =>
    client.apply(
      MODEL_DEPLOYMENTS,
      {
        ...{ apiVersion: MODEL_DEPLOYMENTS.apiVersion, kind: MODEL_DEPLOYMENTS.kind },
        ...{ metadata: { namespace: NAMESPACE, name: nameOf(index) }, spec: spec(timeoutMs) },
      },
      { fieldManager: "bench" },
    );
  const isReady = (index: number): boolean => {
    const object = models.get({ namespace: NAMESPACE, name: nameOf(index) });
    const { conditions, observedGeneration } = object?.status ?? {};
    return (
      observedGeneration === object?.metadata.generation &&
      findCondition(conditions, "Ready")?.status === "True" &&
      findCondition(conditions, "Reconciling") === undefined
    );
  };
  const until = async (holds: () => boolean, seconds: number): Promise<number> => {
    for (const end = performance.now() + seconds * 1000; !holds(); await sleep(5)) {
      if (performance.now() > end) throw new Error(`not within ${seconds} s; the operator: ${operator.log()}`);
    }
    return performance.now();
  };
  const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${operator.metricsPort}/metrics`)).text();
  const requests = async (): Promise<number> =>
    (await metrics())
      .split("\n")
      .filter((line) => line.startsWith("rest_client_requests_total"))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);

  let operator = await start();
  await sleep(3000);
  const before = await requests();
  const begun = performance.now();
  let next = 0;
  const create = async () => {
    while (next < count) await apply(next++, 30_000);
  };
  await Promise.all(Array.from({ length: 10 }, create));
  const since = (at: number): number => Math.round(at - begun) / 1000;
  say("applied s", since(performance.now()));
  const all = Array.from({ length: count }, (_, i) => i);
  say("children exist s", since(await until(() => seen.size >= count, 120)));
  say("all Ready s", since(await until(() => all.every(isReady), 120)));
  await sleep(3000);
  const text = await metrics();
  say("event loop p99 ms, 10 of them the period", gauge(text, "nodejs_eventloop_lag_p99_seconds") * 1000);
  say("requests per object", ((await requests()) - before) / count);
  say("CPU s", cpuSeconds(operator.pid));
  say("VmHWM", /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${operator.pid}/status`, "utf8"))?.[1]);

  const afterAcceptance: number[] = [];
  const beforeChanges = await requests();
  const SAMPLES = 20;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const index = Math.floor((sample * count) / SAMPLES);
    await apply(index, 31_000);
    const accepted = performance.now();
    const key = `${nameOf(index)} ${formatDuration(31_000)}`;
    await until(() => seen.has(key), 10);
    afterAcceptance.push(Math.max(0, (seen.get(key) ?? 0) - accepted));
    // Reconciling lasts until the old revision is gone, 10 s later: the new one is Ready long before.
    await sleep(600);
  }
  say("change after acceptance ms p50, max", [quantile(afterAcceptance, 0.5), quantile(afterAcceptance, 1)]);
  await sleep(11_000);
  say("requests per change", ((await requests()) - beforeChanges) / SAMPLES);
  for (let time = 0; time < 2; time++) {
    const killed = performance.now();
    await operator.kill();
    [operator] = await Promise.all([start(), apply(time, 40_000 + 1000 * time)]);
    const key = `${nameOf(time)} ${formatDuration(40_000 + 1000 * time)}`;
    await until(() => seen.has(key), 20);
    say("kill to served ms", Math.round((seen.get(key) ?? 0) - killed));
    await sleep(3000);
  }
  say("load", readFileSync("/proc/loadavg", "utf8").trim());
  await operator.stop();
  stop.abort();
  nodes.kill("SIGKILL");
  await transport.close();
};

const [clusterName = "bench", kwok = "kwok", count = "100"] = process.argv.slice(2);
await measure(clusterName, kwok, Number(count));
