import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { type Api, apiOf, exposedAddress } from "./api.ts";
import { makeCertificates } from "./certificates.ts";
import { openCluster } from "./cluster.ts";
import { containerd } from "./components/containerd.ts";
import { devices as devicePlugin } from "./components/devices.ts";
import { dns, dnsObjects } from "./components/dns.ts";
import { etcd } from "./components/etcd.ts";
import { controlPlane, everyNode } from "./components/index.ts";
import { kubeApiserver } from "./components/kube-apiserver.ts";
import { kubeControllerManager } from "./components/kube-controller-manager.ts";
import { kubeProxy, proxyBinding } from "./components/kube-proxy.ts";
import { kubeScheduler } from "./components/kube-scheduler.ts";
import { kubelet } from "./components/kubelet.ts";
import { tearDown } from "./down.ts";
import { ClusterError } from "./errors.ts";
import { importImages } from "./images.ts";
import { writeHostKubeconfig, writeKubeconfigs } from "./kubeconfig.ts";
import { withLock } from "./lock.ts";
import { readLogs } from "./logs.ts";
import { makeNetworks } from "./networks.ts";
import { bootNode } from "./node.ts";
import * as defaults from "./plan.ts";
import { controlNode, type NodePlan, network, networkNamespaceFile, nodePaths, paths, planCluster } from "./plan.ts";
import { alive, start } from "./processes.ts";
import { apiReady, componentReady, devicesAllocatable, exists, nodeReady, until } from "./readiness.ts";
import { startAndWait, startComponent } from "./start.ts";
import {
  checkName,
  type Instance,
  instanceNames,
  lockFile,
  prepareStateParent,
  readInstance,
  stateParent,
  writeInstance,
} from "./state.ts";
import { ensureTools, type Tools } from "./tools.ts";
import type { Cluster, Report, UpOptions } from "./types.ts";

/**
 * Brings a cluster up, building its programs first if need be; resolves when pods can be scheduled on every node.
 * One that is up already is left as it is; one that is dead, half-made or of another shape is removed and made anew.
 */
export const up = async (options: UpOptions, report: Report): Promise<Cluster> => {
  const name = checkName(options.name ?? defaults.defaultName);
  checkCount("nodes", options.nodes, 1, defaults.maxNodes);
  checkCount("devices", options.devices, 0, defaults.maxDevices);
  if (process.getuid?.() !== 0)
    throw new ClusterError("a cluster needs namespaces, mounts and cgroups: run this as root");
  await prepareStateParent();
  const tools = await ensureTools(report);
  const waiting = () => report(`another process is starting or ending cluster ${name}: waiting for it`);
  return withLock(lockFile(name), waiting, async () => {
    if (instanceNames().includes(name)) {
      const reason = await whyNot(name, options, tools);
      if (reason === undefined) {
        report(`cluster ${name} is up already`);
        return openCluster(name);
      }
      report(`starting cluster ${name} afresh: ${reason}`);
      await tearDown(name);
    }
    const nodes = options.nodes ?? defaults.defaultNodes;
    const devices = options.devices ?? defaults.defaultDevices;
    const plan = planCluster(stateParent(), name, nodes, devices, options.flags, options.families);
    try {
      await bringUp({ plan, tools }, report);
    } catch (error) {
      report(`the cluster did not come up; what its components said last:\n${readLogs(plan, { tail: 15 })}`);
      throw error;
    }
    return openCluster(name);
  });
};

const checkCount = (what: string, value: number | undefined, min: number, max: number): void => {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
  throw new ClusterError(`${what}: ${value} is not a whole number from ${min} to ${max}`);
};

/** Why what is there cannot be used as it is, or undefined. */
const whyNot = async (name: string, options: UpOptions, tools: Tools): Promise<string | undefined> => {
  const instance = readInstance(name);
  if (instance === undefined) return "it never came up";
  const { plan } = instance;
  if ((options.nodes ?? plan.nodes.length) !== plan.nodes.length) return `it has ${plan.nodes.length} node(s)`;
  if ((options.devices ?? plan.devices) !== plan.devices) return `it has ${plan.devices} device(s) on each node`;
  if (!isDeepStrictEqual(options.flags ?? plan.flags, plan.flags)) return "its components have other flags";
  if ((options.families ?? plan.families) !== plan.families) return `its addresses are of ${plan.families}`;
  if (instance.tools.machine !== tools.machine) return "its programs are of another version";
  if (alive(paths(plan).exposePid) === undefined) return "its port on the host is closed";
  for (const node of plan.nodes) {
    const expected = node.index === 0 ? [...controlPlane, ...everyNode] : everyNode;
    if (alive(nodePaths(node).init) === undefined) return `${node.name} is off`;
    const dead = expected.find((component) => alive(nodePaths(node).pid(component.name)) === undefined);
    if (dead !== undefined) return `${dead.name} on ${node.name} has ended`;
  }
  return (await apiOf(plan).read("/readyz")) === "ok" ? undefined : "its API server is not ready";
};

const bringUp = async (instance: Instance, report: Report): Promise<void> => {
  const { plan, tools } = instance;
  const control = controlNode(plan);
  await mkdir(plan.directory, { recursive: true });
  await Promise.all([
    makeCertificates(plan).then(() => writeKubeconfigs(plan)),
    makeNetworks(plan).then(() => Promise.all(plan.nodes.map((node) => bootNode(node, plan.devices)))),
  ]);
  report(`${plan.nodes.length} node(s) booted, each with its own network, mounts and processes`);

  await startComponent(instance, control, etcd);
  await Promise.all([startComponent(instance, control, kubeApiserver), expose(instance)]);
  await writeHostKubeconfig(plan, exposedAddress(plan));
  const api = apiOf(plan);
  await Promise.all([
    apiReady(api, control).then(() => report("API server ready")),
    ...plan.nodes.map((node) => startRuntime(instance, node, tools)),
  ]);

  // All of these connect to the API server as they start, and some end when it is not there.
  await Promise.all([
    api.create(proxyBinding.path, proxyBinding.body),
    createDnsService(instance, api),
    ...[kubeControllerManager, kubeScheduler, dns].map((component) => startAndWait(instance, control, component)),
    ...plan.nodes.map((node) => joinNode(instance, node, api)),
    exists(api, "/api/v1/namespaces/default/serviceaccounts/default"),
  ]);
  await writeInstance(instance);
  report(`${plan.nodes.length} node(s) Ready with ${plan.devices} device(s) each, cluster DNS ready`);
};

const startRuntime = async (instance: Instance, node: NodePlan, tools: Tools): Promise<void> => {
  await startAndWait(instance, node, containerd);
  await importImages(node, [tools.pauseImage]);
};

const joinNode = async (instance: Instance, node: NodePlan, api: Api): Promise<void> => {
  await Promise.all([
    startAndWait(instance, node, kubelet),
    startComponent(instance, node, kubeProxy),
    startComponent(instance, node, devicePlugin),
  ]);
  await Promise.all([
    nodeReady(api, node),
    componentReady(node, kubeProxy),
    devicesAllocatable(api, node, instance.plan.devices),
  ]);
};

const createDnsService = async ({ plan }: Instance, api: Api): Promise<void> => {
  await exists(api, "/api/v1/namespaces/kube-system");
  for (const { path, body } of dnsObjects(plan)) await api.create(path, body);
};

/** A port of the host's loopback for the API server: no interface joins the host and the cluster. */
const expose = async ({ plan, tools }: Instance): Promise<void> => {
  const { exposePid, exposed } = paths(plan);
  const control = controlNode(plan);
  await start({
    command: [
      ...[tools.machine, "expose", "--netns", networkNamespaceFile(control)],
      ...["--listen", "127.0.0.1:0", "--to", `127.0.0.1:${network.apiPort}`],
    ],
    pidFile: exposePid,
    log: nodePaths(control).log("expose"),
    stdout: exposed,
    wrapped: false,
  });
  await until(
    "a port of the host's loopback",
    () => existsSync(exposed) && exposedAddress(plan) !== "",
    () => (alive(exposePid) === undefined ? "its process has ended" : undefined),
  );
};
