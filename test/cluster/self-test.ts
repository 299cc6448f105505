/**
 * Proves the cluster itself, on a machine where it may be root: node test/cluster/self-test.ts (about 2 minutes).
 * It uses instances of its own, so that one that you work with stays as it is.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArguments } from "../../build/parse-arguments.ts";
import { CLUSTER_PATIENCE_S } from "../world/patience.ts";
import { run } from "./commands.ts";
import { pauseImage } from "./components/containerd.ts";
import { type Cluster, ClusterError, CommandFailed, down, ensureTools, up } from "./index.ts";
import { until } from "./readiness.ts";
import { stateParent } from "./state.ts";

const { values } = parseArguments("npm run test:dev-cluster --", {
  options: { help: { type: "boolean", default: false } },
});
if (values.help) {
  console.log(
    "npm run test:dev-cluster: the dev cluster itself: faults, two at once, nothing left behind (2 to 3 minutes)",
  );
  process.exit(0);
}

const first = "selfa";
const second = "selfb";
const report = (line: string) => console.log(`  # ${line}`);
const hostNetwork = async () => (await run(["ip", "-o", "link"])).stdout + (await run(["ip", "route"])).stdout;

/** Traces of an instance on the host. */
const traces = (name: string): string[] => {
  const mentions = (file: string, text: string) => existsSync(file) && readFileSync(file, "utf8").includes(text);
  const directory = join(stateParent(), name);
  const processes = readdirSync("/proc").filter((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return command.includes(`${directory}/`) || command.includes(`/run/netns/berth-${name}-`);
    } catch {
      return false; // not a process, or ended meanwhile
    }
  });
  const cgroups = ["", ...readdirSync("/sys/fs/cgroup")].map((hierarchy) =>
    join("/sys/fs/cgroup", hierarchy, `berth-dev-${name}`),
  );
  const namespaces = existsSync("/run/netns") ? readdirSync("/run/netns") : [];
  return [
    ...processes.map((pid) => `process ${pid}`),
    ...cgroups.filter((path) => existsSync(path)),
    ...namespaces.filter((namespace) => namespace.startsWith(`berth-${name}-`)),
    ...(mentions("/proc/mounts", directory) ? ["mounts"] : []),
    ...(existsSync(directory) ? [directory] : []),
  ];
};

/** A web server that answers with its pod's name, held by a device. */
const server = (name: string, node: string, devices = 1) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", labels: { app: "web" } },
  spec: {
    nodeSelector: { "kubernetes.io/hostname": node },
    terminationGracePeriodSeconds: 0,
    tolerations: [
      { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 600 },
    ],
    containers: [
      {
        name: "web",
        image: pauseImage,
        command: ["sh", "-c", "echo $HOSTNAME > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"],
        readinessProbe: { httpGet: { path: "/index.html", port: 8080 }, periodSeconds: 1 },
        resources: { limits: { "nvidia.com/gpu": String(devices) } },
        securityContext: {
          allowPrivilegeEscalation: false,
          runAsNonRoot: true,
          capabilities: { drop: ["ALL"] },
          seccompProfile: { type: "RuntimeDefault" },
        },
      },
    ],
  },
});

const apply = (cluster: Cluster, object: unknown) =>
  cluster.kubectl(["apply", "-f", "-"], { input: JSON.stringify(object) });
const TIMEOUT = `--timeout=${CLUSTER_PATIENCE_S}s`;
const ready = (cluster: Cluster, what: string) => cluster.kubectl(["wait", "--for=condition=Ready", what, TIMEOUT]);
const query = async (cluster: Cluster, ...args: string[]) => (await cluster.kubectl(["get", ...args])).stdout.trim();
const restarts = (cluster: Cluster) =>
  query(cluster, "pods", "-o", "jsonpath={.items[*].status.containerStatuses[*].restartCount}");

let cluster: Cluster;
let network: string;

before(async () => {
  await ensureTools(report);
  await Promise.all([down(first, report), down(second, report)]);
  network = await hostNetwork();
});
after(() => Promise.all([down(first, report), down(second, report)]));

test("two nodes come up, ready for pods", async () => {
  const begun = performance.now();
  cluster = await up({ name: first }, report);
  report(`up took ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  assert.deepEqual(cluster.nodes, ["node0", "node1"]);
  assert.match(await query(cluster, "nodes", "--no-headers"), /^node0 +Ready.*\nnode1 +Ready/);
});

test("a second up changes nothing", async () => {
  const uid = () => query(cluster, "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}");
  const before = await uid();
  await up({ name: first }, report);
  assert.equal(await uid(), before);
});

test("pods run, hold a device each, and reach one another and Services by name, across nodes", async () => {
  await Promise.all([apply(cluster, server("web0", "node0")), apply(cluster, server("web1", "node1"))]);
  await cluster.kubectl(["create", "service", "clusterip", "web", "--tcp=80:8080"]);
  await Promise.all([ready(cluster, "pod/web0"), ready(cluster, "pod/web1")]);
  const environment = await cluster.kubectl(["exec", "web1", "--", "env"]);
  assert.match(environment.stdout, /NVIDIA_VISIBLE_DEVICES=GPU-node1-\d\n/);
  const fetch = ["exec", "web0", "--", "wget", "-q", "-O", "-", "http://web.default.svc.cluster.local/index.html"];
  const seen = new Set<string>();
  for (let i = 0; i < 20; i += 1) seen.add((await cluster.kubectl(fetch)).stdout.trim());
  assert.deepEqual([...seen].sort(), ["web0", "web1"]);
  const address = await query(cluster, "service", "web", "-o", "jsonpath={.spec.clusterIP}");
  const fromNode = await cluster.run([
    "bash",
    "-c",
    `exec 3<>/dev/tcp/${address}/80; printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`,
  ]);
  assert.match(fromNode.stdout, /web[01]/);
});

test("kubectl on the host reaches the API server, and errors carry what it said", async () => {
  const { machine, helm } = await ensureTools(report);
  const host = await run([
    machine,
    "kubectl",
    "--kubeconfig",
    cluster.hostKubeconfig,
    "exec",
    "web1",
    "--",
    "id",
    "-u",
  ]);
  assert.equal(host.stdout, "65532\n");
  assert.match((await run([helm, "--kubeconfig", cluster.hostKubeconfig, "list"])).stdout, /^NAME/);
  await assert.rejects(
    cluster.kubectl(["get", "pod", "none"]),
    (error) => error instanceof CommandFailed && /NotFound/.test(error.stderr),
  );
});

test("nothing outside the cluster can be reached from it", async () => {
  await assert.rejects(cluster.run(["bash", "-c", "exec 3<>/dev/tcp/192.0.2.1/80"]), /No route to host|unreachable/);
});

test("devices limit what is scheduled, can fail, and come back", async () => {
  await apply(cluster, server("greedy", "node1", 4));
  await until("the reason is given", async () => /Insufficient nvidia.com\/gpu/.test(await query(cluster, "events")));
  await cluster.kubectl(["delete", "pod", "greedy", "--now"]);
  const counts = () =>
    query(
      cluster,
      "node",
      "node1",
      "-o",
      "jsonpath={.status.capacity.nvidia\\.com/gpu} {.status.allocatable.nvidia\\.com/gpu}",
    );
  await cluster.devices(1, 4, 3);
  assert.equal(await counts(), "4 1");
  await cluster.devices(1, 0);
  assert.equal(await counts(), "0 0");
  await cluster.devices(1, 4);
  assert.equal(await counts(), "4 4");
  await assert.rejects(cluster.devices(1, 2, 3), ClusterError);
});

test("an image that is there can be loaded again", async () => {
  const { pauseImage: archive } = await ensureTools(report);
  await cluster.load([archive]);
});

for (const [component, node] of [
  ["etcd", 0],
  ["kube-apiserver", 0],
  ["kube-controller-manager", 0],
  ["kube-scheduler", 0],
  ["dns", 0],
  ["containerd", 1],
  ["kubelet", 1],
  ["kube-proxy", 1],
  ["devices", 1],
] as const) {
  test(`${component} is killed and revived, and pods run on`, async () => {
    await cluster.crash(component, node);
    await assert.rejects(cluster.crash(component, node), /does not run/);
    const begun = performance.now();
    await cluster.revive(component, node);
    report(`${component} serves ${((performance.now() - begun) / 1000).toFixed(1)} s after its start`);
    await until("the API server answers", () =>
      query(cluster, "--raw", "/readyz").then(
        (text) => text === "ok",
        () => false,
      ),
    );
    await Promise.all([ready(cluster, "node/node0"), ready(cluster, "node/node1")]);
    await cluster.devices(1, 4);
    // What was revived does its work: a new pod gets a device, starts, and is found by name.
    await apply(cluster, server("fresh", "node1"));
    await ready(cluster, "pod/fresh");
    const lookup = () =>
      cluster.kubectl([
        "exec",
        "fresh",
        "--",
        "wget",
        "-q",
        "-O",
        "-",
        "http://web.default.svc.cluster.local/index.html",
      ]);
    await until("the Service answers by name", () =>
      lookup().then(
        () => true,
        () => false,
      ),
    );
    await cluster.kubectl(["delete", "pod", "fresh", "--now"]);
    assert.equal(await restarts(cluster), "0 0");
  });
}

test("a node that is cut off is NotReady, and Ready when it is joined again", async () => {
  const begun = performance.now();
  await cluster.link(1, "down");
  await cluster.kubectl(["wait", "--for=condition=Ready=Unknown", "node/node1", TIMEOUT]);
  report(`NotReady after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  await cluster.link(1, "up");
  await ready(cluster, "node/node1");
  await assert.rejects(cluster.link(0, "down"), /control plane/);
});

test("a node that is powered off is NotReady, and runs its pods again when it is back", async () => {
  await cluster.power(1, "off");
  await cluster.kubectl(["wait", "--for=condition=Ready=Unknown", "node/node1", TIMEOUT]);
  await cluster.power(1, "on");
  await cluster.devices(1, 4);
  await until("web1 has been started again", async () => (await restarts(cluster)) === "0 1");
  await ready(cluster, "pod/web1");
});

test("a process in the cluster's network can use this API too", async () => {
  const command = [process.execPath, join(import.meta.dirname, "main.ts")];
  assert.match((await cluster.run([...command, "status", "--name", first])).stdout, /API server ready\n +node0 +Ready/);
  await cluster.run([...command, "devices", "0", "2", "--name", first]);
});

test("an up that is killed half-way is made good by the next, beside another cluster", async () => {
  for (const milliseconds of [100, 300, 1500, 4000]) {
    const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), "up", "--name", second], {
      stdio: "ignore",
    });
    await sleep(milliseconds);
    child.kill("SIGKILL");
    await once(child, "close");
  }
  const other = await up({ name: second, nodes: 1, devices: 0 }, report);
  assert.deepEqual(other.nodes, ["node0"]);
  assert.equal(await query(other, "pods", "--no-headers"), "");
  assert.match(await query(cluster, "pods", "--no-headers"), /web0 .*\nweb1/);
});

test("down leaves nothing, and the other cluster alone", async () => {
  const begun = performance.now();
  await down(second, report);
  assert.deepEqual(traces(second), []);
  await ready(cluster, "node/node0");
  await cluster.down();
  report(`two downs took ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  assert.deepEqual(traces(first), []);
  assert.equal(await hostNetwork(), network);
});
