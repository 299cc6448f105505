/**
 * What the onnxruntime that is installed takes; a test holds this against it. It has no way to be asked, and its own refusal
 * does not say what to do.
 */
export const ONNXRUNTIME = {
  version: "1.30.0",
  irVersion: 13,
  /** By domain, whose operators its builds for servers bring along: the newest version of the operators. */
  opsets: new Map<string, number>([
    ["", 26],
    // another name of the first, which onnxruntime does not hold to any version
    ["ai.onnx", Number.POSITIVE_INFINITY],
    ["ai.onnx.ml", 5],
    ["ai.onnx.preview", 1],
    ["ai.onnx.preview.training", 1],
    ["ai.onnx.training", 1],
    ["com.microsoft", 1],
    ["com.microsoft.experimental", 1],
    ["com.microsoft.nchwc", 1],
    ["com.ms.internal.nhwc", 26],
  ]),
} as const;
