import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, readdirSync, statSync } from "node:fs";
import { setPriority } from "node:os";
import { join } from "node:path";
import { checkModelFile } from "../../models/verify.ts";
import { examineGraph } from "../graph/index.ts";
import { describeFailure } from "./load-message.ts";
import { type PrepareAnswer, type PrepareOrder, prepareOrderSchema } from "./messages.ts";
import { assertSame, type KnownFile, knownFiles } from "./same-files.ts";

// A process that lives for a short time, as what it does is done once and may crash: it checks the model's file, makes the
// copy that the shards share, if it is told to, follows the rows of a batch through the graph, and computes the digest. Arguments: the file, threads.

const [file = "", threads = "1"] = process.argv.slice(2);
/** What was checked. */
let files: KnownFile[] = [];
const tell = (answer: PrepareAnswer): Promise<void> =>
  new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(answer, () => resolve());
  });

/** Whether the file may be loaded, and what is to be done then. */
const check = async (): Promise<PrepareOrder | undefined> => {
  try {
    const before = statSync(file, { throwIfNoEntry: false }) === undefined ? [] : knownFiles([file]);
    const { bytes, weightFiles } = checkModelFile(file);
    assertSame(before);
    files = knownFiles([file, ...weightFiles]);
    const order = once(process, "message");
    await tell({ type: "verified", bytes, files });
    const [message] = await order;
    return prepareOrderSchema.parse(message);
  } catch (error) {
    await tell(describeFailure(error));
    return undefined;
  }
};

const copy = async (copyTo: string): Promise<void> => {
  try {
    // Only now, as it takes longer to load than the check takes.
    const { writeOptimizedCopy } = await import("../../engine/session.ts");
    await writeOptimizedCopy(file, copyTo, Number(threads));
    assertSame(files);
    const copies = readdirSync(copyTo).map((name) => join(copyTo, name));
    await tell({ type: "shared", file: `${copyTo}/model.onnx`, files: knownFiles(copies) });
  } catch (error) {
    await tell({ type: "unshared", reason: error instanceof Error ? error.message : String(error) });
  }
};

/** Whether the graph keeps requests apart that share a run. */
const graph = async (): Promise<void> => {
  const found = examineGraph(file);
  assertSame(files);
  await tell({ type: "graph", graph: found });
};

const digest = async (): Promise<void> => {
  // The shards are being started, and must not wait for this.
  setPriority(19);
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file, { highWaterMark: 1024 ** 2 })) hash.update(piece);
  // of another file nothing is told: the next shard that starts will tell of it
  assertSame(files);
  await tell({ type: "digest", sha256: hash.digest("hex") });
};

process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
process.on("disconnect", () => process.exit(0));
const order = await check();
if (order !== undefined) {
  if (order.copyTo !== undefined) await copy(order.copyTo);
  await graph().catch(() => undefined);
  await digest().catch(() => undefined);
}
process.exit(0);
