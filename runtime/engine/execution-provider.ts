/** What runs the model: onnxruntime falls back to no other than the one that was asked for. */
export const EXECUTION_PROVIDERS = ["cpu", "cuda", "tensorrt"] as const;

export type ExecutionProvider = (typeof EXECUTION_PROVIDERS)[number];
