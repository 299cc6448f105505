import { existsSync, readdirSync } from "node:fs";
import { componentNames } from "./components/index.ts";
import { ClusterError } from "./errors.ts";
import { nodeAt, nodePaths, type Plan } from "./plan.ts";
import { tail } from "./processes.ts";
import type { LogQuery } from "./types.ts";

const defaultTail = 50; // lines of each log

/** The ends of the components' logs, each under a heading. */
export const readLogs = (plan: Plan, query: LogQuery): string => {
  const { component, node } = query;
  if (component !== undefined && !componentNames.includes(component)) {
    throw new ClusterError(`no component "${component}": there are ${componentNames.join(", ")}`);
  }
  const nodes = node === undefined ? plan.nodes : [nodeAt(plan, node)];
  return nodes
    .flatMap((each) => {
      const folder = nodePaths(each).logs;
      const names = (existsSync(folder) ? readdirSync(folder) : []).map((file) => file.replace(/\.log$/, ""));
      return names
        .filter((name) => component === undefined || name === component)
        .map((name) => `==> ${each.name} ${name}\n${tail(nodePaths(each).log(name), query.tail ?? defaultTail)}\n`);
    })
    .join("\n");
};
