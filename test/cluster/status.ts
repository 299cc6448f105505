import { apiOf } from "./api.ts";
import { controlPlane, everyNode } from "./components/index.ts";
import { nodePaths, paths } from "./plan.ts";
import { alive } from "./processes.ts";
import { nodeState } from "./readiness.ts";
import { type Instance, instanceNames, readInstance } from "./state.ts";

/** A description of a cluster in lines of text. */
export const describe = async (name: string): Promise<string> => {
  const instance = readInstance(name);
  if (instance !== undefined) return describeInstance(instance);
  const others = instanceNames().filter((other) => other !== name);
  const half = instanceNames().includes(name) ? "half-made: its up was interrupted, or still runs" : "not up";
  return `cluster ${name}: ${half}${others.length > 0 ? `; others on this machine: ${others.join(", ")}` : ""}`;
};

const describeInstance = async ({ plan }: Instance): Promise<string> => {
  const api = apiOf(plan);
  const serves = (await api.read("/readyz")) === "ok";
  const nodes = await Promise.all(
    plan.nodes.map(async (node) => {
      const state = await nodeState(api, node);
      const on = alive(nodePaths(node).init) !== undefined;
      const condition = state === undefined ? "unknown" : state.ready ? "Ready" : "NotReady";
      const components = node.index === 0 ? [...controlPlane, ...everyNode] : everyNode;
      const dead = components
        .filter(({ name }) => alive(nodePaths(node).pid(name)) === undefined)
        .map(({ name }) => name);
      const running = dead.length === 0 ? "all components run" : `ended: ${dead.join(", ")}`;
      const devices = `${state?.devices ?? "?"} device(s) ${node.product.name}`;
      return `  ${node.name}  ${on ? condition : "powered off"}  ${node.address}  ${devices}  ${on ? running : ""}`.trimEnd();
    }),
  );
  return [
    `cluster ${plan.name}: API server ${serves ? "ready" : "not ready"}`,
    ...nodes,
    "  The devices are not real GPUs: their scheduling, allocation and health are real, nothing computes on them.",
    `  kubeconfig on this machine: ${paths(plan).hostKubeconfig}`,
    `  kubeconfig in its network:  ${paths(plan).kubeconfig}`,
  ].join("\n");
};
