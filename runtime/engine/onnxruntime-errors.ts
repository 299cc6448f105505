/** onnxruntime's text without what tells the user nothing: source locations, C++ signatures, paths, line breaks. */
export const describeOnnxError = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .replace(/Load model from .*? failed:\s*/s, "")
    .replace(
      /\/onnxruntime_src\/\S+:\d+ (?:[\w:<>~&*, ]+\((?:[^()]|\([^()]*\))*\)(?: const)?(?: \[with [^\]]*\])? )?/g,
      "",
    )
    .replace(/(?:\/[\w.@+-]+){2,}\/([\w.@+-]+)/g, "$1")
    .replace(/\s+/g, " ")
    .trim()
    .replace(/\.$/, "")
    .slice(0, 1500);
};

/** Whether a run failed because of the values or shapes that it was given, as opposed to memory, a device or a defect. */
export const isInputError = (message: string): boolean =>
  /invalid dimensions|invalid rank|unexpected input data type|cannot be reshaped|shape|dimension|broadcast|out of (data )?bounds|out of range|axis/i.test(
    message,
  ) && !/alloc|memory|CUDA|cudnn|device/i.test(message);
