import { Failure } from "../errors/termination.ts";
import type { ModelNode } from "./model-file/walk.ts";
import { ONNXRUNTIME } from "./onnxruntime-limits.ts";

/** Different operators of other domains, in one model. */
const MAX_FOREIGN = 10_000;

/**
 * Refuses nodes that need code from elsewhere: operators of unknown domains, unless a function of the model defines them,
 * and EPContext, which holds or names a binary for an execution provider. Functions may follow the nodes that use them, so
 * that `end` has the last word. Both throw a Failure, ModelInvalid.
 */
export const createOperatorCheck = () => {
  const defined = new Set<string>();
  const foreign = new Map<string, ModelNode>();
  const key = (domain: string, operator: string): string => `${domain}\0${operator}`;
  return {
    localFunction: (domain: string, name: string): void => {
      defined.add(key(domain, name));
    },
    node: (node: ModelNode): void => {
      if (node.operator === "EPContext") {
        throw refused(node, "holds a program compiled for one device; save the model without it");
      }
      if (ONNXRUNTIME.opsets.has(node.domain)) return;
      foreign.set(key(node.domain, node.operator), node);
      if (foreign.size > MAX_FOREIGN) throw refused(node, `is one of more than ${MAX_FOREIGN} custom operators`);
    },
    end: (): void => {
      for (const [operator, node] of foreign) {
        if (defined.has(operator)) continue;
        throw refused(
          node,
          "is neither an operator of onnxruntime nor a function of the model; custom operators are not served",
        );
      }
    },
  };
};

const refused = ({ name, operator, domain }: ModelNode, why: string): Failure =>
  new Failure(
    "ModelInvalid",
    `${describe(name)}: ${domain === "" ? "" : `${quoted(domain)}, `}${quoted(operator)} ${why}`,
  );

const describe = (name: string): string => (name === "" ? "a node without a name" : `node ${quoted(name)}`);

/** What a model says of itself, so that it cannot break the line that shows it. */
export const quoted = (text: string): string => JSON.stringify(text.slice(0, 253));
