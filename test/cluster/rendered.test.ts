import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "js-yaml";
import { flags } from "./components/component.ts";
import { renderContainerdConfig, renderPodNetwork } from "./components/containerd.ts";
import { renderCorefile } from "./components/dns.ts";
import { controlPlane, everyNode } from "./components/index.ts";
import { kubelet, kubeletConfiguration } from "./components/kubelet.ts";
import { holds, namedImages } from "./images.ts";
import { renderKubeconfig } from "./kubeconfig.ts";
import { nodeAt, planCluster } from "./plan.ts";
import { linkerFlags, moduleVersion } from "./tools.ts";

const plan = planCluster("/state", "dev1", 2, 2);
const node = nodeAt(plan, 1);
const programs = { machine: "/tools/machine", cniPlugins: "/cni" };

test("a kubeconfig is YAML that carries its own certificates", () => {
  const pem = { authority: "A", certificate: "C", key: "K" };
  const read = load(renderKubeconfig("berth-dev1", "admin", "https://127.0.0.1:1", pem));
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  assert.deepEqual(read, {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      { name: "berth-dev1", cluster: { server: "https://127.0.0.1:1", "certificate-authority-data": base64("A") } },
    ],
    users: [{ name: "admin", user: { "client-certificate-data": base64("C"), "client-key-data": base64("K") } }],
    contexts: [{ name: "berth-dev1", context: { cluster: "berth-dev1", user: "admin" } }],
    "current-context": "berth-dev1",
  });
});

test("a node's files name that node's own paths and ranges", () => {
  assert.equal(kubeletConfiguration(plan, node).cgroupRoot, "/berth-dev-dev1/node1");
  assert.match(renderContainerdConfig(node, "/cni"), /^root = "\/state\/dev1\/node1\/containerd"$/m);
  assert.match(renderContainerdConfig(node, "/cni"), /bin_dir = "\/cni"/);
  assert.match(renderPodNetwork(node), /"subnet":"10.244.1.0\/24"/);
  assert.match(renderCorefile("/k"), /kubernetes cluster.local \{\n {4}kubeconfig \/k\n/);
});

test("the kubelet labels its node with the devices that it has", () => {
  const label = kubelet.command(plan, node, programs).find((word) => word.startsWith("--node-labels="));
  assert.match(label ?? "", /nvidia.com\/gpu.product=NVIDIA-L4,nvidia.com\/gpu.memory=23034,nvidia.com\/gpu.count=2$/);
  const none = kubelet.command(planCluster("/state", "dev1", 1, 0), node, programs);
  assert.equal(
    none.some((word) => word.startsWith("--node-labels")),
    false,
  );
});

test("every component has a name and a command of its own", () => {
  const all = [...controlPlane, ...everyNode];
  assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
  for (const component of all) {
    for (const word of component.command(plan, node, programs)) assert.doesNotMatch(word, /undefined|NaN|\[object/);
  }
});

test("flags are written with their values, and a bare flag without", () => {
  assert.deepEqual(flags({ v: 1, config: "/a b", "allow-privileged": true }), [
    "--v=1",
    "--config=/a b",
    "--allow-privileged",
  ]);
});

const goMod = "module m\n\nrequire (\n\tk8s.io/kubernetes v1.35.4\n\thelm.sh/helm/v3 v3.20.2 // indirect\n)\n";

test("versions come from go.mod", () => {
  assert.equal(moduleVersion(goMod, "helm.sh/helm/v3"), "v3.20.2");
  assert.throws(() => moduleVersion(goMod, "k8s.io/kube"), /no version of k8s.io\/kube/);
  assert.match(linkerFlags(goMod), /version.gitMinor=35 /);
});

test("an image is there only if its name has the archive's digest", () => {
  const index = {
    manifests: [
      { digest: "sha256:a", annotations: { "io.containerd.image.name": "localhost/x:1" } },
      { digest: "sha256:b", annotations: { "org.opencontainers.image.ref.name": "1" } },
    ],
  };
  const images = namedImages(index);
  assert.deepEqual(images, [{ name: "localhost/x:1", digest: "sha256:a" }]);
  const listing = (digest: string) => `REF TYPE DIGEST SIZE\nlocalhost/x:1 application/vnd.oci ${digest} 1 MiB\n`;
  assert.equal(holds(listing("sha256:a"), images), true);
  assert.equal(holds(listing("sha256:c"), images), false);
  assert.equal(holds(listing("sha256:a"), []), false);
});
