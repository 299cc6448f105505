import { Failure } from "../errors/termination.ts";
import { elementName, type ModelInterface, type ModelValue } from "./interface.ts";
import { ONNXRUNTIME } from "./onnxruntime-limits.ts";
import { quoted } from "./operators.ts";

const refused = (message: string): Failure => new Failure("ModelInvalid", message);

/** Element types of tensors that the protocols have a name for: BOOL, (U)INT8 to 64, FP16, FP32, FP64 and BYTES. */
const SERVED: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
const COMPLEX: ReadonlySet<number> = new Set([14, 15]);
const UNDEFINED = 0;

export const isServed = (element: number): boolean => SERVED.has(element);

/**
 * Refuses what onnxruntime, or its binding for Node, would refuse in words that name no cure: files of a newer version, and inputs
 * and outputs that no request can carry. `converted`: the outputs that are made tensors when the model is loaded.
 */
export const checkInterface = (model: ModelInterface, converted: ReadonlySet<string>): void => {
  checkVersions(model);
  for (const input of model.inputs) checkValue("input", input);
  const outputs = model.outputs.filter(({ name }) => !converted.has(name));
  for (const output of outputs) {
    if (output.type === undefined || output.type.kind === "tensor") checkValue("output", output);
  }
  const other = outputs.find(({ type }) => type !== undefined && type.kind !== "tensor");
  if (other === undefined) return;
  const tensors = model.outputs.filter(({ name, type }) => converted.has(name) || type?.kind === "tensor");
  throw refused(
    `output ${quoted(other.name)} is ${other.type?.kind}, and only tensors are served${
      tensors.length === 0
        ? ""
        : `: save the model without it, with ${tensors.map(({ name }) => quoted(name)).join(", ")} alone (onnx.utils.extract_model)`
    }`,
  );
};

const checkVersions = ({ irVersion, opsets, functionOpsets }: ModelInterface): void => {
  const server = `this server (onnxruntime ${ONNXRUNTIME.version})`;
  const newest = new Map<string, number>();
  for (const { domain, version } of [...opsets, ...functionOpsets]) {
    if (version > (ONNXRUNTIME.opsets.get(domain) ?? version))
      newest.set(domain, Math.max(version, newest.get(domain) ?? 0));
  }
  const newer = [...newest].map(([domain, version]) => ({ domain, version }));
  const told: string[] = [];
  if (irVersion > ONNXRUNTIME.irVersion) {
    const { irVersion: most } = ONNXRUNTIME;
    told.push(
      `it has IR version ${irVersion}, ${server} takes up to ${most}: save it with ir_version ${most} or lower (model.ir_version = ${most}; onnx.save(model, file))${newer.length === 0 ? "; the opset may stay" : ""}`,
    );
  }
  for (const { domain, version } of newer) {
    const most = ONNXRUNTIME.opsets.get(domain);
    const which = domain === "" ? "opset" : `opset of ${quoted(domain)}`;
    const how = domain === "" ? ` (or onnx.version_converter.convert_version(model, ${most}))` : "";
    told.push(
      `it has ${which} ${version}, ${server} takes up to ${most}: export it with ${which} ${most} or lower${how}`,
    );
  }
  if (told.length > 0) throw refused(`the model is newer than this server: ${told.join("; and ")}`);
};

const checkValue = (end: "input" | "output", { name, type }: ModelValue): void => {
  if (type === undefined) return;
  if (type.kind !== "tensor") {
    throw refused(`${end} ${quoted(name)} is ${type.kind}, and only tensors are served: export the model with tensors`);
  }
  const { element } = type;
  if (element === UNDEFINED || isServed(element)) return;
  const cure = COMPLEX.has(element)
    ? "split it into a real and an imaginary part in the model"
    : end === "input"
      ? "take float (or a type that is served) there and cast it in the model"
      : "cast it to float (or a type that is served) in the model";
  throw refused(`${end} ${quoted(name)} has type ${elementName(element)}, which cannot be served: ${cure}`);
};
