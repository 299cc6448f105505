import { join } from "node:path";
import { type NodePlan, nodePaths } from "../plan.ts";
import { type Component, flags } from "./component.ts";

export const containerdSocket = "/run/containerd/containerd.sock";
/** Holds the namespaces of each pod; built with the tools. */
export const pauseImage = "localhost/berth-pause:1";

export const containerd: Component = {
  name: "containerd",
  place: "every node",
  files: (_plan, node, { cniPlugins }) => ({
    [configFile(node)]: renderContainerdConfig(node, cniPlugins),
    [join(nodePaths(node).cniConfig, "10-pods.conflist")]: renderPodNetwork(node),
  }),
  command: (_plan, node) => ["containerd", ...flags({ config: configFile(node) })],
  probe: ["ctr", "--address", containerdSocket, "version"],
};

const configFile = (node: NodePlan): string => join(node.directory, "containerd.toml");

export const renderContainerdConfig = (node: NodePlan, cniPlugins: string): string => {
  const string = (value: string) => JSON.stringify(value);
  const files = nodePaths(node);
  return `version = 2
root = ${string(files.containerdRoot)}
state = "/run/containerd/state"
[grpc]
  address = ${string(containerdSocket)}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${string(pauseImage)}
  # The machine may be a container itself, which may not lower scores or load profiles.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${string(cniPlugins)}
    conf_dir = ${string(files.cniConfig)}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
`;
};

/** Pods get their addresses from the node's range, on a bridge of the node. NetworkPolicy is not enforced. */
export const renderPodNetwork = (node: NodePlan): string =>
  `${JSON.stringify({
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          ranges: [node.podRange, ...(node.ipv6 === undefined ? [] : [node.ipv6.podRange])].map((subnet) => [
            { subnet },
          ]),
          routes: ["0.0.0.0/0", ...(node.ipv6 === undefined ? [] : ["::/0"])].map((dst) => ({ dst })),
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  })}\n`;
