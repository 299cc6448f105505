import { certificate, serviceAccountKey } from "../certificates.ts";
import { addressesOf, byFamily, network } from "../plan.ts";
import { type Component, flags, listens } from "./component.ts";

export const kubeApiserver: Component = {
  name: "kube-apiserver",
  place: "control plane",
  command: (plan, node, { machine }) => {
    const own = certificate(plan, "apiserver");
    const authority = certificate(plan, "ca").certificate;
    const admin = certificate(plan, "admin");
    const frontProxy = certificate(plan, "front-proxy");
    const account = serviceAccountKey(plan);
    return [
      machine,
      "kube-apiserver",
      ...flags({
        "etcd-servers": "http://127.0.0.1:2379",
        "service-cluster-ip-range": byFamily(plan, network.serviceRange, network.ipv6.serviceRange).join(","),
        "secure-port": network.apiPort,
        "advertise-address": addressesOf(plan, node)[0] ?? node.address,
        "client-ca-file": authority,
        "tls-cert-file": own.certificate,
        "tls-private-key-file": own.key,
        "kubelet-client-certificate": admin.certificate,
        "kubelet-client-key": admin.key,
        // Node names are in no DNS.
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-key-file": account.publicKey,
        "service-account-signing-key-file": account.key,
        "service-account-issuer": `https://kubernetes.default.svc.${network.domain}`,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": true,
        // With a policy, a test does what a controller such as Kueue does with a webhook: it holds pods back.
        "feature-gates": "MutatingAdmissionPolicy=true",
        "runtime-config": "admissionregistration.k8s.io/v1beta1=true",
        // For aggregated APIs, such as external metrics.
        "enable-aggregator-routing": true,
        "proxy-client-cert-file": frontProxy.certificate,
        "proxy-client-key-file": frontProxy.key,
        "requestheader-client-ca-file": authority,
        "requestheader-allowed-names": "front-proxy",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        v: 1,
      }),
    ];
  },
  probe: listens(network.apiPort),
};
