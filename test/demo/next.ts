/** What to try when the demo has left its cluster: each line works as it stands, on the cluster that the demo ran on. */
import { defaultName } from "../cluster/plan.ts";
import { inShell } from "./shell.ts";

export type DemoCluster = {
  kubeconfig: string;
  /** Of the dev cluster; undefined: a cluster of the user's own, which `npm run cluster` does not know. */
  name: string | undefined;
  namespace: string;
};

export const nextCommands = ({ kubeconfig, name, namespace }: DemoCluster): string[] => {
  const option = name === undefined || name === defaultName ? "" : ` --name ${name}`;
  const kubectl = name === undefined ? "kubectl" : `npm run -s cluster -- kubectl${option}`;
  const both = [
    `export KUBECONFIG=${inShell(kubeconfig)}`,
    `${kubectl} get mdeploy -n ${namespace} -o wide`,
    `${kubectl} edit mdeploy angle -n ${namespace}    # another model: it moves when that is ready`,
  ];
  if (name === undefined) return [...both, `${kubectl} delete namespace ${namespace}`];
  return [
    ...both,
    `npm run -s cluster -- devices${option} 1 0    # take node1's devices away`,
    `npm run -s cluster -- down${option}`,
  ];
};
