/** What a model itself says of the texts that it takes: made-up ones it may not know, and answer all alike. Pure. */
import type { Graph, GraphNode, ModelStructure } from "../../models/model-file/structure.ts";

/** Attributes with what texts are compared with: n-grams, categories, keys. */
const LISTS = ["pool_strings", "cats_strings", "keys_strings"] as const;
/** Of one list, from all over it. */
const MOST_OF_LIST = 32;
const MOST = 128;
/** What is longer may have been cut off when it was read. */
const LONGEST = 63;

/** Some of the words that the operators of the model know. */
export const wordsOf = ({ functions, graph }: ModelStructure): string[] => {
  const words = new Set<string>();
  const ofNodes = (nodes: readonly GraphNode[]): void => {
    for (const { attributes } of nodes) {
      for (const name of LISTS) {
        const list = attributes.get(name);
        if (list?.kind === "strings") for (const word of someOf(list.values ?? [])) words.add(word);
      }
      for (const attribute of attributes.values()) if (attribute.kind === "graph") ofGraph(attribute.value);
    }
  };
  const ofGraph = ({ nodes }: Graph): void => ofNodes(nodes);
  ofGraph(graph);
  for (const { nodes } of functions.values()) ofNodes(nodes);
  return [...words].slice(0, MOST);
};

const someOf = (list: readonly string[]): string[] => {
  const step = Math.max(1, list.length / MOST_OF_LIST);
  const picked: string[] = [];
  for (let at = 0; at < list.length && picked.length < MOST_OF_LIST; at += step) {
    const word = list[Math.floor(at)] ?? "";
    if (word.length <= LONGEST) picked.push(word);
  }
  return picked;
};
