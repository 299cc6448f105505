/** Which operators are known, and what each does to the rows of a batch. What is not here is not batched. */
import type { Rule } from "./call.ts";
import { ATTENTION_RULES, MICROSOFT_ATTENTION_RULES } from "./rules/attention.ts";
import { CLASSICAL_RULES, MICROSOFT_TEXT_RULES, TEXT_RULES } from "./rules/classical.ts";
import { ELEMENT_RULES, MICROSOFT_ELEMENT_RULES } from "./rules/elements.ts";
import { PLACE_RULES } from "./rules/places.ts";
import { einsum, fusedMatMul, gemm, matMul } from "./rules/products.ts";
import { microsoftQuantised, QUANTISED_RULES } from "./rules/quantised.ts";
import { RECURRENT_RULES } from "./rules/recurrent.ts";
import { REDUCTION_RULES } from "./rules/reductions.ts";
import { SHAPE_RULES } from "./rules/shape.ts";
import { convolution, globalPooling, imagewise, normaliseImages, pooling, WINDOW_RULES } from "./rules/windows.ts";
import { refuse } from "./values.ts";

/** Computes from all of its input at once, or cannot say how much comes out: the same for all requests, or not batched. */
const whole =
  (reason: string): Rule =>
  (call) => {
    if (call.inputs.some((tensor) => tensor?.rows !== undefined)) refuse(reason);
    return call.node.outputs.map(() => ({ type: 0, shape: undefined, rows: undefined, data: undefined }));
  };

const wholes = (reason: string, names: string): Record<string, Rule> =>
  Object.fromEntries(names.split(" ").map((name) => [name, whole(reason)]));

const ONNX: Readonly<Record<string, Rule>> = {
  ...ELEMENT_RULES,
  ...SHAPE_RULES,
  ...PLACE_RULES,
  ...REDUCTION_RULES,
  ...WINDOW_RULES,
  ...RECURRENT_RULES,
  ...ATTENTION_RULES,
  ...QUANTISED_RULES,
  ...TEXT_RULES,
  MatMul: matMul(),
  Gemm: gemm,
  Einsum: einsum,
  ...wholes(
    "what it gives has a size that depends on the values of all rows",
    "NonZero Unique NonMaxSuppression StringSplit",
  ),
  ...wholes("it depends on how many rows there are", "EyeLike CenterCropPad"),
  ...wholes("its boxes come from all rows", "RoiAlign MaxRoiPool MaxUnpool"),
  ...wholes("its result is one number for the whole batch", "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss"),
  ...wholes("it makes tables of numbers", "BlackmanWindow HannWindow HammingWindow MelWeightMatrix"),
};

const MICROSOFT: Readonly<Record<string, Rule>> = {
  ...MICROSOFT_ELEMENT_RULES,
  ...MICROSOFT_ATTENTION_RULES,
  ...MICROSOFT_TEXT_RULES,
  ...microsoftQuantised(PLACE_RULES.Concat ?? (() => refuse("it is not known"))),
  FusedMatMul: fusedMatMul,
  TransposeMatMul: fusedMatMul,
  FusedGemm: gemm,
  FusedConv: convolution({ sum: 3 }),
  NhwcConv: imagewise(),
  NhwcFusedConv: imagewise(),
  NhwcMaxPool: imagewise(),
  GroupNorm: normaliseImages(true),
  Pad: PLACE_RULES.Pad ?? (() => refuse("it is not known")),
  Trilu: PLACE_RULES.Trilu ?? (() => refuse("it is not known")),
  GatherND: PLACE_RULES.GatherND ?? (() => refuse("it is not known")),
  ...wholes("what it gives has a size that depends on the values of all rows", "Unique"),
};

const BLOCKED: Readonly<Record<string, Rule>> = {
  Conv: (call) => {
    // the sum of an earlier layer is the fourth input
    return convolution({ sum: 3 })(call);
  },
  MaxPool: pooling,
  AveragePool: pooling,
  GlobalMaxPool: globalPooling,
  GlobalAveragePool: globalPooling,
  ReorderInput: imagewise(),
  ReorderOutput: imagewise(),
};

/** By domain: the rules, and the newest version that they are written for. */
const DOMAINS: Readonly<Record<string, { rules: Readonly<Record<string, Rule>>; oldest: number; newest: number }>> = {
  "": { rules: ONNX, oldest: 7, newest: 26 },
  "ai.onnx.ml": { rules: CLASSICAL_RULES, oldest: 1, newest: 5 },
  "com.microsoft": { rules: MICROSOFT, oldest: 1, newest: 1 },
  "com.microsoft.nchwc": { rules: BLOCKED, oldest: 1, newest: 1 },
};

/** Operators whose result is another one each time they run. */
const RANDOM = /^(Random|Multinomial$|Bernoulli$|Sampling$|PhiloxRandom)/;

export type Found = { rule: Rule } | { reason: string };

/** @param opset that the model or function imports of the domain */
export const ruleOf = (domain: string, operator: string, opset: number | undefined): Found => {
  const known = Object.hasOwn(DOMAINS, domain) ? DOMAINS[domain] : undefined;
  if (RANDOM.test(operator)) return { reason: "it gives random numbers" };
  if (known === undefined) return { reason: `what operators of "${domain}" do to a batch is not known` };
  if (opset === undefined) return { reason: `the model imports no operators of "${domain}"` };
  if (opset < known.oldest || opset > known.newest) {
    const name = domain === "" ? "ai.onnx" : domain;
    return {
      reason: `operators of ${name} are known from version ${known.oldest} to ${known.newest}, and the model imports ${opset}`,
    };
  }
  const rule = Object.hasOwn(known.rules, operator) ? known.rules[operator] : undefined;
  return rule === undefined ? { reason: "what it does to a batch is not known" } : { rule };
};

export const isOnnxruntimes = (domain: string): boolean => Object.hasOwn(DOMAINS, domain);
