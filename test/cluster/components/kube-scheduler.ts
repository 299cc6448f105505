import { componentKubeconfig } from "../kubeconfig.ts";
import { type Component, flags, listens } from "./component.ts";

export const kubeScheduler: Component = {
  name: "kube-scheduler",
  place: "control plane",
  command: (plan, _node, { machine }) => [
    machine,
    "kube-scheduler",
    ...flags({ kubeconfig: componentKubeconfig(plan, "kube-scheduler"), "leader-elect": "false" }),
  ],
  probe: listens(10259),
};
