import { invalid } from "../../errors/request-error.ts";
import type { Service } from "../../inference/index.ts";
import type { Handle, HttpRequest, HttpResponse, Routes } from "../../transport/http/types.ts";
import { notFiniteOf } from "../json/not-finite.ts";
import { shown } from "./check.ts";
import { inputsOf, outputsFor, PREDICT_INSTEAD, type Task } from "./examples.ts";
import { readExamples, writeResults } from "./examples-json.ts";
import { COLUMNS_INSTEAD, checkForm, createPredictReader, writePredict } from "./predict-json.ts";
import { createPairing, type Pairing, type Run, runRows } from "./rows.ts";
import { LABEL, metadataJson, statusJson } from "./signature.ts";

type Paths = Map<string, Partial<Record<"GET" | "POST", Handle>>>;

const JSON_HEADERS = { "content-type": "application/json" };

/** TensorFlow Serving's REST paths for one model, and with them KServe's V1, whose paths are the same. */
export const createRoutes = (service: Service): Routes => {
  const { model } = service;
  const pairing = createPairing(model);
  const handlePredict = predict(service, pairing);
  const paths: Paths = new Map([["/v1/models", get(() => ({ models: [model.name] }))]]);
  for (const base of basesOf(service)) {
    paths.set(
      base,
      get(() => statusJson(model, service.ready())),
    );
    paths.set(
      `${base}/metadata`,
      get(() => metadataJson(model)),
    );
    paths.set(`${base}:predict`, { POST: handlePredict });
    paths.set(`${base}:classify`, { POST: task(service, "classify", pairing) });
    paths.set(`${base}:regress`, { POST: task(service, "regress", pairing) });
  }
  return { paths, explain: (path) => explain(service, path) };
};

/** What may stand before `:predict`, and alone: the model, its version, its label. */
export const basesOf = ({ model }: Service): string[] => {
  const base = `/v1/models/${model.name}`;
  return [base, `${base}/versions/${model.version}`, `${base}/labels/${LABEL}`];
};

const get = (answer: () => object) => ({
  GET: () => ({ status: 200, headers: { ...JSON_HEADERS }, parts: [JSON.stringify(answer())] }),
});

const ok = (parts: HttpResponse["parts"]): HttpResponse => ({ status: 200, headers: { ...JSON_HEADERS }, parts });

const runner =
  (service: Service, request: HttpRequest): Run =>
  (inputs, outputs) => {
    const inference = service.infer({ inputs, outputs });
    request.onGone = inference.cancel;
    return inference.result;
  };

const predict = (service: Service, pairing: Pairing): Handle => {
  const { model } = service;
  const names = model.outputs.map(({ name }) => name);
  const read = createPredictReader(model);
  return async (request) => {
    const notFinite = notFiniteOf(request.query);
    const asked = read(request.body);
    checkForm(model, asked.form);
    const run = runner(service, request);
    // each promise more is felt here
    const shown = asked.form === "rows" ? pairing.show(run, asked, names, COLUMNS_INSTEAD) : undefined;
    if (shown !== undefined) await shown;
    const results = await run(asked.inputs, names);
    if (asked.form === "rows") pairing.check(results, asked.count, names, COLUMNS_INSTEAD);
    return ok(writePredict(model, asked.form, results, notFinite));
  };
};

const task =
  (service: Service, kind: Task, pairing: Pairing): Handle =>
  async (request) => {
    const { model } = service;
    const outputs = outputsFor(model, kind);
    const half = model.inputs.find(({ datatype }) => datatype === "FP16");
    if (half !== undefined) throw invalid(`input "${half.name}": FP16 has no JSON form; ask over gRPC`);
    const notFinite = notFiniteOf(request.query);
    const { examples, context } = readExamples(model, request.body);
    const rows = inputsOf(model, examples, context);
    const results = await runRows(pairing, runner(service, request), rows, outputs, PREDICT_INSTEAD);
    return ok(writeResults(kind, outputs, results, examples.length, notFinite));
  };

const explain = ({ model }: Service, path: string): string | undefined => {
  if (!/^\/v1(\/|$)/.test(path)) return undefined;
  const match = /^\/v1\/models\/([^/:]+)(?:\/(versions|labels)\/([^/:]+))?/.exec(path);
  if (match === null) return "no such path; there are /v1/models and what is below it";
  const [, name = "", kind, which = ""] = match;
  if (name !== model.name) return `model ${shown(name)} is unknown; this server has "${model.name}"`;
  if (kind === "versions" && which !== model.version) {
    return `version ${shown(which)} of model "${name}" is unknown; there is ${model.version}`;
  }
  if (kind === "labels" && which !== LABEL) {
    return `the label ${shown(which)} of model "${name}" is unknown; there is "${LABEL}"`;
  }
  return `no such path below model "${name}"; there are /metadata, :predict, :classify and :regress`;
};
