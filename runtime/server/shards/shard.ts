import { InferenceError } from "../../engine/errors.ts";
import { warmUp } from "../../engine/first-run.ts";
import { givenOutputs } from "../../engine/output-shapes.ts";
import { type Engine, loadModel } from "../../engine/session.ts";
import { answerEncoder, decodeControl, decodeJob, encodeControl, encodeRefusal } from "./frames.ts";
import { startLifeline } from "./lifeline.ts";
import { blockingLink, LINK_FD } from "./link.ts";
import { describeFailure, isLoadMessage, type LoadMessage } from "./load-message.ts";
import type { ShardMessage } from "./messages.ts";

// The process that owns a session of onnxruntime: it loads the model, runs it once, and then one job after the other.
// It may hang or crash; whoever started it does not.

const link = blockingLink(LINK_FD);
const tell = (message: ShardMessage): void => link.write([encodeControl(message)]);
const secondsSince = (started: number): number => (performance.now() - started) / 1000;

const load = async (message: LoadMessage): Promise<Engine> => {
  const started = performance.now();
  const engine = await loadModel(message.file, message);
  const { inputs, outputs } = engine;
  tell({ type: "loaded", inputs: [...inputs], outputs: [...outputs], loadSeconds: secondsSince(started) });
  const warmUpStarted = performance.now();
  const warm = await warmUp(engine);
  const warmUpSeconds = secondsSince(warmUpStarted);
  tell({ type: "ready", warmUp: warm, warmUpSeconds, outputs: await givenOutputs(engine, warm) });
  return engine;
};

const serve = async (engine: Engine): Promise<void> => {
  const encode = answerEncoder();
  for (let frame = link.read(); frame !== undefined; frame = link.read()) {
    const { inputs, outputs } = decodeJob(frame, engine);
    const started = performance.now();
    try {
      const results = await engine.run(inputs, outputs);
      link.write(encode(results, performance.now() - started));
    } catch (error) {
      if (!(error instanceof InferenceError)) throw error;
      link.write([encodeRefusal(error)]);
    }
  }
};

// A terminal sends Ctrl-C to the whole process group: when to end is the server's decision.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
const lifeline = startLifeline();

const first = link.read();
if (first !== undefined) {
  let engine: Engine | undefined;
  try {
    const message = decodeControl(first);
    if (!isLoadMessage(message)) throw new Error("the first message must say what to load");
    if (message.copy !== undefined) lifeline.removeAtEnd(message.copy);
    engine = await load(message);
  } catch (error) {
    tell(describeFailure(error));
  }
  if (engine !== undefined) await serve(engine);
}
process.exit(0);
