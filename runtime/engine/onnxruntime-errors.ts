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
