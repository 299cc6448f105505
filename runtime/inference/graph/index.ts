/** What the model's graph says of batching, found out in the process that checks the model's file. */
import { closeSync, openSync, statSync } from "node:fs";
import { readStructure, TooLarge } from "../../models/model-file/read-structure.ts";
import { createReader, MalformedModel } from "../../models/model-file/reader.ts";
import type { ModelStructure } from "../../models/model-file/structure.ts";
import { openModel } from "../../models/rewrite.ts";
import { analyse } from "./analysis.ts";
import type { Finding, GraphFindings } from "./findings.ts";
import { wordsOf } from "./words.ts";

/** Ways to join inputs that are looked at, as many as dimensions have different names. */
const MAX_WAYS = 16;

/** Nodes that are looked at for all ways together: some seconds. A model of 60,000 nodes has eight ways at most. */
const MAX_NODES = 500_000;

/** Reads the graph of a model's file; whatever is in it, the answer is a finding. */
export const examineGraph = (path: string): GraphFindings => {
  let file: number | undefined;
  try {
    // what is loaded instead of the file has other ends, which the server knows the model by
    const { bytes } = openModel(path);
    if (bytes !== undefined) return examine(readStructure(createReader(bytes, bytes.length)));
    file = openSync(path, "r");
    return examine(readStructure(createReader(file, statSync(path).size)));
  } catch (error) {
    if (error instanceof MalformedModel || error instanceof TooLarge) return { findings: [], reason: error.message };
    // batching is never worth a model that is not served
    const message = error instanceof Error ? error.message : String(error);
    return { findings: [], reason: `its graph could not be looked at: ${message}` };
  } finally {
    if (file !== undefined) closeSync(file);
  }
};

export const examine = (model: ModelStructure): GraphFindings => {
  const budget = { left: MAX_NODES };
  const findings = ways(model).map((axes): Finding => {
    const verdict = analyse(model, new Map(Object.entries(axes)), budget);
    return verdict.independent
      ? { axes, outputs: Object.fromEntries(verdict.outputs) }
      : { axes, reason: verdict.reason };
  });
  const words = wordsOf(model);
  return words.length === 0 ? { findings } : { findings, words };
};

/** Along each name that no input has twice, and along the first open axis of all inputs. */
const ways = ({ graph, irVersion }: ModelStructure): Readonly<Record<string, number>>[] => {
  const inputs = graph.inputs.filter(({ name }) => irVersion >= 4 || !graph.initializers.has(name));
  const open = inputs.map(({ name, shape }) => ({ name, shape: shape ?? [] }));
  const symbols = new Set(open.flatMap(({ shape }) => shape.filter((size) => typeof size === "string")));
  const named = [...symbols]
    .filter((symbol) => open.every(({ shape }) => shape.filter((size) => size === symbol).length < 2))
    .map((symbol) => axesWhere(open, (shape) => shape.indexOf(symbol)));
  const first = axesWhere(open, ([size]) => (size !== undefined && typeof size !== "number" ? 0 : -1));
  const all = [first, ...named.slice(0, MAX_WAYS)].filter((axes) => Object.keys(axes).length > 0);
  return all.filter((axes, i) => all.findIndex((other) => JSON.stringify(other) === JSON.stringify(axes)) === i);
};

type Sizes = readonly (number | string | null)[];
const axesWhere = (
  inputs: readonly { name: string; shape: Sizes }[],
  axisOf: (shape: Sizes) => number,
): Readonly<Record<string, number>> =>
  Object.fromEntries(inputs.map(({ name, shape }) => [name, axisOf(shape)] as const).filter(([, axis]) => axis >= 0));
