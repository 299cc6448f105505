import { nodePaths } from "../plan.ts";
import { type Component, flags } from "./component.ts";

/** Offers the devices of the node's list to its kubelet. They are not hardware: their scheduling is real. */
export const devices: Component = {
  name: "devices",
  place: "every node",
  command: (_plan, node, { machine }) => [machine, "devices", ...flags({ devices: nodePaths(node).devices })],
};
