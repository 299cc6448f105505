// Read once, when the library is loaded: without it onnxruntime ≥ 1.29 reports use to its vendor.
process.env.ORT_DISABLE_TELEMETRY = "1";
export const ort = await import("onnxruntime-node");
// Errors come as exceptions; the copies that the library prints would only be noise in the log.
ort.env.logLevel = "fatal";

/**
 * Its first tensor decides how it holds float16: in a Float16Array where the language has one (Node ≥ 24), which its native
 * part (1.30) takes for empty. Without one it takes the 16 bits in a Uint16Array, as this project does.
 */
const float16Array = Object.getOwnPropertyDescriptor(globalThis, "Float16Array");
Reflect.deleteProperty(globalThis, "Float16Array");
new ort.Tensor("float16", new Uint16Array(1), [1]);
if (float16Array !== undefined) Object.defineProperty(globalThis, "Float16Array", float16Array);
