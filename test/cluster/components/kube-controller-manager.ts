import { certificate, serviceAccountKey } from "../certificates.ts";
import { componentKubeconfig } from "../kubeconfig.ts";
import { type Component, flags, listens } from "./component.ts";

export const kubeControllerManager: Component = {
  name: "kube-controller-manager",
  place: "control plane",
  command: (plan, _node, { machine }) => {
    const authority = certificate(plan, "ca");
    return [
      machine,
      "kube-controller-manager",
      ...flags({
        kubeconfig: componentKubeconfig(plan, "kube-controller-manager"),
        "service-account-private-key-file": serviceAccountKey(plan).key,
        "root-ca-file": authority.certificate,
        "cluster-signing-cert-file": authority.certificate,
        "cluster-signing-key-file": authority.key,
        "use-service-account-credentials": true,
        "allocate-node-cidrs": "false",
        // There is only one, and after a crash it need not wait for its own lease to end.
        "leader-elect": "false",
        // A lost node is NotReady in about 10 s, where Kubernetes' default takes 50 s: tests wait for it.
        "node-monitor-period": "1s",
        "node-monitor-grace-period": "10s",
      }),
    ];
  },
  probe: listens(10257),
};
