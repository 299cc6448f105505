/**
 * `node test/graphs/vectors.ts`: ONNX's own test vectors, with their first axis for a batch. How many are shown to keep rows
 * apart, and whether those do: the rows of a vector's input run alone and together. The exit code is 1 where one does not.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import onnxProto from "onnx-proto";
import { loadModel } from "../../runtime/engine/session.ts";
import { joinInput, splitOutput } from "../../runtime/inference/batching/join.ts";
import { magnitude, same } from "../../runtime/inference/batching/tolerance.ts";
import { findingFor } from "../../runtime/inference/graph/findings.ts";
import { examineGraph } from "../../runtime/inference/graph/index.ts";
import type { Tensor } from "../../runtime/tensors/index.ts";
import { allVectors, type Vector } from "../conformance/vectors/data.ts";
import { readCase } from "../conformance/vectors/read.ts";
import { newDirectory } from "../runtime/models.ts";

const { onnx } = onnxProto;
type Outcome =
  | "not shown"
  | "shown, and so it is"
  | "shown, and does not run row by row"
  | "no batch"
  | `WRONG: ${string}`;

/** The model with an open first axis of `batched`, and with nothing said of its outputs' shapes. */
const opened = (folder: string, batched: ReadonlySet<string>): string => {
  const model = onnx.ModelProto.decode(readFileSync(join(folder, "model.onnx")));
  const { graph } = model;
  for (const { name, type } of graph?.input ?? []) {
    const first = type?.tensorType?.shape?.dim?.[0];
    if (first != null && batched.has(name ?? "")) {
      first.dimParam = "N";
      Reflect.deleteProperty(first, "dimValue");
    }
  }
  for (const { type } of graph?.output ?? []) if (type?.tensorType) Reflect.deleteProperty(type.tensorType, "shape");
  if (graph?.valueInfo) graph.valueInfo = [];
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, onnx.ModelProto.encode(model).finish());
  return file;
};

const tryOne = async (
  { folder }: Vector,
  inputs: ReadonlyMap<string, Tensor>,
  batched: ReadonlySet<string>,
): Promise<Outcome> => {
  const file = opened(folder, batched);
  const names = [...inputs.keys()];
  const finding = findingFor(
    examineGraph(file),
    names,
    names.map((name) => (batched.has(name) ? 0 : undefined)),
  );
  if (finding?.outputs === undefined) return "not shown";
  const rows = inputs.get([...batched][0] ?? "")?.shape[0] ?? 0;
  const engine = await loadModel(file, { executionProvider: "cpu", intraOpThreads: 1 });
  const outputs = engine.outputs.map(({ name }) => name);
  const run = async (members: readonly ReadonlyMap<string, Tensor>[]) =>
    engine.run(
      new Map(
        names.map((name): [string, Tensor] => {
          const { parts, ...tensor } = joinInput(
            name,
            batched.has(name) ? 0 : undefined,
            members.map((member) => member.get(name)).filter((one) => one !== undefined),
          );
          return [name, { ...tensor, bytes: Buffer.concat(parts) }];
        }),
      ),
      outputs,
    );
  const alone = Array.from({ length: rows }, (_, at) => {
    const own = [...inputs].map(([name, tensor]): [string, Tensor] => [
      name,
      batched.has(name) ? (splitOutput(name, tensor, 0, Array(rows).fill(1))[at] ?? tensor) : tensor,
    ]);
    return new Map(own);
  });
  let answers: ReadonlyMap<string, Tensor>[];
  let together: ReadonlyMap<string, Tensor>;
  try {
    answers = [];
    for (const row of alone) answers.push(await run([row]));
    together = await run(alone);
  } catch {
    return "shown, and does not run row by row";
  }
  for (const [name, whole] of together) {
    const parts = splitOutput(name, whole, finding.outputs[name] ?? 0, Array(rows).fill(1));
    for (const [at, part] of parts.entries()) {
      const own = answers[at]?.get(name);
      if (own === undefined || !same(own, part, magnitude(whole))) return `WRONG: row ${at} of ${name}`;
    }
  }
  return "shown, and so it is";
};

const counts = new Map<string, number>();
for (const vector of await allVectors(console.log)) {
  const test = readCase(vector);
  if (typeof test === "string") continue;
  const entries = [...test.inputs];
  const rows = entries[0]?.[1].shape[0] ?? 0;
  const ways = [entries.slice(0, 1), entries.filter(([, { shape }]) => shape[0] === rows)];
  const seen = new Set<string>();
  const outcomes: Outcome[] = [];
  for (const way of ways) {
    const batched = new Set(way.map(([name]) => name));
    const key = [...batched].join();
    if (rows < 2 || seen.has(key)) continue;
    seen.add(key);
    try {
      outcomes.push(await tryOne(vector, test.inputs, batched));
    } catch {
      // onnxruntime does not load it
      outcomes.push("not shown");
    }
  }
  const wrong = outcomes.find((outcome) => outcome.startsWith("WRONG"));
  if (wrong !== undefined) console.log(`${vector.name}: ${wrong}`);
  const outcome =
    wrong === undefined
      ? ((["shown, and so it is", "shown, and does not run row by row", "not shown"] as const).find((one) =>
          outcomes.includes(one),
        ) ?? "no batch")
      : "WRONG";
  counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
}
for (const [outcome, count] of counts) console.log(`${count} ${outcome}`);
process.exit(counts.has("WRONG") ? 1 : 0);
