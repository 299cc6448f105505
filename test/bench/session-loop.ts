/** A process that runs one model as fast as it can for some seconds and sends the rate to its parent. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { INPUT, question } from "../world/reference.ts";

const [model = "", seconds = "3"] = process.argv.slice(2);
const session = await InferenceSession.create(model);
const { upright } = await question(192);
const input = { [INPUT]: new Tensor("float32", upright.data, upright.shape) };
for (let run = 0; run < 50; run++) await session.run(input);
const started = performance.now();
const end = started + Number(seconds) * 1000;
let runs = 0;
while (performance.now() < end) {
  await session.run(input);
  runs++;
}
process.send?.((runs * 1000) / (performance.now() - started));
process.disconnect?.();
