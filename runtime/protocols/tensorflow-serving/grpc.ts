import { invalid, RequestError } from "../../errors/request-error.ts";
import type { Service } from "../../inference/index.ts";
import { addDefaults } from "../../inference/inputs.ts";
import type { Tensor } from "../../tensors/index.ts";
import { answerTooLarge } from "../../transport/grpc/answer.ts";
import { AS_BYTES } from "../../transport/grpc/as-bytes.ts";
import type { GrpcService, UnaryMethod } from "../../transport/grpc/types.ts";
import { quoted, shown, unknownInput } from "./check.ts";
import { readInput } from "./example-proto.ts";
import { writeClassifications, writeRegressions } from "./example-results.ts";
import { classesOf, floatsOf, inputsOf, outputsFor, PREDICT_INSTEAD, type Task, valuesOf } from "./examples.ts";
import { createPairing, type Pairing, type Run, runRows } from "./rows.ts";
import {
  checkModelSpec,
  readModelSpec,
  SIGNATURE,
  stateOf,
  versionNumber,
  writeModelSpec,
  writeSignatures,
} from "./signature.ts";
import { readTensorProto, writeTensorProto } from "./tensor-proto.ts";
import {
  add,
  addEntry,
  addMessage,
  addNumber,
  entryOf,
  finish,
  LENGTH,
  type Pieces,
  pieces,
  textOf,
  visitFields,
} from "./wire.ts";

export type GrpcOptions = {
  /** The most bytes that one tensor may have after its repeated values are written out, and an answer. */
  maxTensorBytes: number;
};

type Answer = (request: Uint8Array, run: Run) => Pieces | Promise<Pieces>;

const PROTO = new URL("proto/serving.proto", import.meta.url);

/** TensorFlow Serving's services for one model. */
export const createGrpcServices = (service: Service, options: GrpcOptions): GrpcService[] => {
  const unary = (answer: Answer): UnaryMethod<Uint8Array> => ({
    answer: async (request, call) => {
      const run: Run = (inputs, outputs) => {
        const deadline = Number.isFinite(call.deadline) ? { deadline: call.deadline } : {};
        const inference = service.infer({ inputs, outputs, ...deadline });
        call.onCancelled = () => inference.cancel();
        return inference.result;
      };
      const message = await answer(request, run);
      // one result may be asked for many times: it is refused before all of them are in memory
      if (message.length > options.maxTensorBytes) throw answerTooLarge(message.length, options.maxTensorBytes);
      return finish(message);
    },
  });
  const serviceOf = (name: string, answers: Record<string, Answer>): GrpcService => {
    const methods = Object.fromEntries(Object.entries(answers).map(([method, answer]) => [method, unary(answer)]));
    const codecs = Object.fromEntries(Object.keys(answers).map((method) => [method, AS_BYTES]));
    return { name, protoFiles: [PROTO], methods, codecs };
  };
  const pairing = createPairing(service.model);
  return [
    serviceOf("tensorflow.serving.PredictionService", {
      Predict: predict(service, options.maxTensorBytes),
      Classify: examples(service, "classify", pairing),
      Regress: examples(service, "regress", pairing),
      MultiInference: multiInference(service, pairing),
      GetModelMetadata: metadata(service),
    }),
    serviceOf("tensorflow.serving.ModelService", {
      GetModelStatus: status(service),
      HandleReloadConfigRequest: refuseReload,
    }),
  ];
};

/** Each costs an object of its own, of many times the two bytes that an empty one takes in the message. */
const MAX_ENTRIES = 1024;
const bounded = <T>(list: T[], what: string): T[] => {
  if (list.length === MAX_ENTRIES) throw invalid(`there are more than ${MAX_ENTRIES} ${what}`);
  return list;
};

const predict = ({ model }: Service, maxTensorBytes: number): Answer => {
  const infos = new Map(model.inputs.map((info) => [info.name, info]));
  const names = model.outputs.map(({ name }) => name);
  const spec = writeModelSpec(model);
  return async (request, run) => {
    let specified: Uint8Array = new Uint8Array();
    const entries: Uint8Array[] = [];
    const filter: string[] = [];
    visitFields(request, (field, wire, value) => {
      if (wire !== LENGTH) return;
      if (field === 1) specified = value;
      else if (field === 2) bounded(entries, "inputs").push(value);
      else if (field === 3) bounded(filter, "names in output_filter").push(textOf(value));
    });
    checkModelSpec(model, readModelSpec(specified));
    const inputs = new Map<string, Tensor>();
    for (const entry of entries) {
      const { key, value } = entryOf(entry);
      const info = infos.get(key);
      if (info === undefined) throw unknownInput(key, model.inputs);
      inputs.set(key, readTensorProto(info, value, maxTensorBytes));
    }
    const [missing] = addDefaults(model, inputs);
    if (missing !== undefined) throw invalid(`input "${missing}" is missing; send it`);
    const unknown = filter.find((name) => !names.includes(name));
    if (unknown !== undefined) {
      throw invalid(`output_filter: ${shown(unknown)} is unknown; the model's outputs are ${quoted(names)}`);
    }
    const wanted = filter.length === 0 ? names : [...new Set(filter)];
    const outputs = await run(inputs, wanted);
    const answer = pieces();
    for (const name of wanted) {
      const tensor = outputs.get(name);
      if (tensor === undefined) throw new Error(`the model computed no output "${name}"`);
      addEntry(answer, 1, name, writeTensorProto(tensor));
    }
    addMessage(answer, 2, spec);
    return answer;
  };
};

const examples =
  ({ model }: Service, task: Task, pairing: Pairing): Answer =>
  async (request, run) => {
    const { first, second } = pairOf(request);
    checkModelSpec(model, readModelSpec(first));
    const outputs = outputsFor(model, task);
    const input = readInput(model.inputs, second);
    const rows = inputsOf(model, input.examples, input.context);
    const results = await runRows(pairing, run, rows, outputs, PREDICT_INSTEAD);
    const answer = pieces();
    addMessage(answer, 1, resultOf(task, outputs, results, input.examples.length));
    addMessage(answer, 2, writeModelSpec(model));
    return answer;
  };

/** Fields 1 and 2, of which all these requests consist. */
const pairOf = (message: Uint8Array): { first: Uint8Array; second: Uint8Array } => {
  let first: Uint8Array = new Uint8Array();
  let second: Uint8Array = new Uint8Array();
  visitFields(message, (field, wire, value) => {
    if (wire !== LENGTH) return;
    if (field === 1) first = value;
    if (field === 2) second = value;
  });
  return { first, second };
};

/** A ClassificationResult or a RegressionResult. */
const resultOf = (
  task: Task,
  names: readonly string[],
  outputs: ReadonlyMap<string, Tensor>,
  count: number,
): Pieces => {
  const result = pieces();
  if (task === "regress") add(result, writeRegressions(floatsOf(valuesOf(names, outputs, count))));
  else {
    const { classes, scores, labels } = classesOf(names, outputs, count);
    add(result, writeClassifications(floatsOf(scores), labels, classes, count));
  }
  return result;
};

const TASKS: ReadonlyMap<string, Task> = new Map([
  ["tensorflow/serving/classify", "classify"],
  ["tensorflow/serving/regress", "regress"],
]);
const MAX_TASKS = 64;

/** Several tasks on the same examples: the model runs once. */
const multiInference =
  ({ model }: Service, pairing: Pairing): Answer =>
  async (request, run) => {
    const tasks: { task: Task; outputs: string[] }[] = [];
    let input: Uint8Array = new Uint8Array();
    visitFields(request, (field, wire, value) => {
      if (wire !== LENGTH) return;
      if (field === 2) input = value;
      if (field !== 1) return;
      const { first, second } = pairOf(value);
      checkModelSpec(model, readModelSpec(first));
      const method = textOf(second);
      const task = TASKS.get(method);
      if (task === undefined)
        throw invalid(`method_name ${shown(method)} is unknown; there are ${quoted(TASKS.keys())}`);
      if (tasks.length === MAX_TASKS) throw invalid(`there are more than ${MAX_TASKS} tasks`);
      tasks.push({ task, outputs: outputsFor(model, task) });
    });
    if (tasks.length === 0) throw invalid("there are no tasks; send at least one");
    const read = readInput(model.inputs, input);
    const wanted = new Set(tasks.flatMap(({ outputs }) => outputs));
    const rows = inputsOf(model, read.examples, read.context);
    const results = await runRows(pairing, run, rows, [...wanted], PREDICT_INSTEAD);
    const answer = pieces();
    const written = new Map<Task, Pieces>();
    for (const { task, outputs } of tasks) {
      const result = pieces();
      addMessage(result, 1, writeModelSpec(model));
      // of the same task as before it is the same
      const content = written.get(task) ?? resultOf(task, outputs, results, read.examples.length);
      written.set(task, content);
      addMessage(result, task === "classify" ? 2 : 3, content);
      addMessage(answer, 1, result);
    }
    return answer;
  };

const metadata =
  ({ model }: Service): Answer =>
  (request) => {
    let spec: Uint8Array = new Uint8Array();
    const fields: string[] = [];
    visitFields(request, (field, wire, value) => {
      if (wire !== LENGTH) return;
      if (field === 1) spec = value;
      if (field === 2) bounded(fields, "names in metadata_field").push(textOf(value));
    });
    checkModelSpec(model, { ...readModelSpec(spec), signature: SIGNATURE });
    const unknown = fields.find((field) => field !== "signature_def");
    if (fields.length === 0 || unknown !== undefined) {
      throw invalid(`metadata_field is ${shown(unknown ?? "")}; ask for "signature_def"`);
    }
    const answer = pieces();
    addMessage(answer, 1, writeModelSpec(model));
    addEntry(answer, 2, "signature_def", writeSignatures(model));
    return answer;
  };

const status =
  ({ model, ready }: Service): Answer =>
  (request) => {
    checkModelSpec(model, { ...readModelSpec(pairOf(request).first), signature: SIGNATURE });
    const version = pieces();
    addNumber(version, 1, Number(versionNumber(model)));
    addNumber(version, 2, stateOf(ready()).number);
    addMessage(version, 3, pieces()); // a StatusProto that says OK
    const answer = pieces();
    addMessage(answer, 1, version);
    return answer;
  };

const refuseReload: Answer = () => {
  throw new RequestError("Unsupported", "models cannot be reloaded: this server serves one model for its whole life");
};
