/** `npm run demo`: the main job, told as a story. Everything in it is done for real, and fails aloud when it is not so. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArguments } from "../../build/parse-arguments.ts";
import { angleInWords, textInWords } from "../../examples/picture.ts";
import { infer } from "../world/client.ts";
import { enterWorld, ROOT, type World } from "../world/index.ts";
import { whenInterrupted } from "../world/interrupted.ts";
import { isReady, isStalled, waitFor } from "../world/model-deployment.ts";
import { ALPHABET_FILE, ANGLE_FILE, answerHere, distance, question, RECOGNISER_FILE } from "../world/reference.ts";
import { serveAlone } from "./alone.ts";
import { nextCommands } from "./next.ts";
import { inShell } from "./shell.ts";
import { type Story, tellStory } from "./story.ts";

const NAMESPACE = "berth-demo";

const HELP = `npm run demo [-- OPTIONS]   from nothing to models served by a real Kubernetes
  --keep             leave the cluster and the models for you to try
  --name NAME        name of the dev cluster (default berth)
  --kubeconfig FILE  any other cluster instead; it must have the images that npm run build:images
                     makes, and nodes with nvidia.com/gpu
The first run compiles Kubernetes (5 to 10 minutes, kept for later); after that it takes less than two minutes.`;

const { values } = parseArguments("npm run demo --", {
  options: {
    keep: { type: "boolean", default: false },
    name: { type: "string", default: "berth" },
    kubeconfig: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const kubectl = async (story: Story, world: World, args: readonly string[]): Promise<void> => {
  story.command(`kubectl ${args.map(inShell).join(" ")} -n ${NAMESPACE}`);
  story.output((await world.cluster.kubectl([...args, "-n", NAMESPACE])).stdout);
};

const applyExample = async (story: Story, world: World, name: string): Promise<void> => {
  story.command(`kubectl apply -f examples/${name}.yaml -n ${NAMESPACE}`);
  story.output(await world.apply(await readFile(join(ROOT, "examples", `${name}.yaml`), "utf8"), NAMESPACE));
};

const comparison = (answer: Float32Array, reference: Float32Array): string => {
  const difference = distance(answer, reference);
  if (!(difference < 1e-5)) throw new Error(`the pods' answer differs from onnxruntime's by ${difference}`);
  return difference === 0 ? "to the last bit what onnxruntime says here" : `onnxruntime's own, within ${difference}`;
};

const angleChapter = async (story: Story, world: World): Promise<void> => {
  story.chapter(1, "A trained model, served by pods that each hold one device");
  await applyExample(story, world, "angle");
  const object = await waitFor(world.cluster, { namespace: NAMESPACE, name: "angle" }, "ready", isReady);
  story.line("ready");
  await kubectl(story, world, ["get", "mdeploy", "angle"]);
  await kubectl(story, world, [
    ...["get", "pods", "-l", "berth.dev/model-deployment=angle", "-o"],
    "custom-columns=POD:.metadata.name,NODE:.spec.nodeName,DEVICES:.spec.containers[0].resources.limits.nvidia\\.com/gpu",
  ]);
  const { upright, upsideDown } = await question(192);
  for (const [title, input] of [
    ["as it is", upright],
    ["turned over", upsideDown],
  ] as const) {
    const answer = await infer(world.cluster, { url: object.status.url ?? "", model: "angle" }, input);
    const compared = comparison(answer, await answerHere(ANGLE_FILE, input));
    story.line(`heading.png, ${title}: ${angleInWords(answer)}; ${compared}`);
  }
};

const recogniserChapter = async (story: Story, world: World): Promise<void> => {
  story.chapter(2, "A model from https://, with a checksum and a certificate authority of its own");
  await applyExample(story, world, "recogniser");
  const object = await waitFor(world.cluster, { namespace: NAMESPACE, name: "recogniser" }, "ready", isReady);
  const { upright } = await question(800);
  const at = { url: object.status.url ?? "", model: "recogniser" };
  const answer = await infer(world.cluster, at, upright);
  const alphabet = (await readFile(ALPHABET_FILE, "utf8")).trimEnd().split("\n");
  story.line(`heading.png reads "${textInWords(answer, alphabet)}"`);
  story.line(`the answer is ${comparison(answer, await answerHere(RECOGNISER_FILE, upright))}`);
};

const scarcityChapter = async (story: Story, world: World): Promise<void> => {
  story.chapter(3, "More devices asked for than there are");
  await applyExample(story, world, "too-many-devices");
  await waitFor(world.cluster, { namespace: NAMESPACE, name: "too-many-devices" }, "told what it lacks", (seen) =>
    /nvidia\.com\/gpu/.test(seen.status.message ?? ""),
  );
  await kubectl(story, world, ["get", "pods", "-l", "berth.dev/model-deployment=too-many-devices"]);
  await kubectl(story, world, ["get", "mdeploy", "too-many-devices"]);
};

const brokenChapter = async (story: Story, world: World): Promise<void> => {
  story.chapter(4, "A model that does not load");
  await applyExample(story, world, "broken");
  await waitFor(world.cluster, { namespace: NAMESPACE, name: "broken" }, "stalled", isStalled);
  await kubectl(story, world, ["get", "mdeploy", "broken"]);
};

const story = tellStory(
  () => performance.now(),
  (text) => console.log(text),
);
story.line("Berth: an operator that turns a model into GPU-scheduled inference pods. This is its main job, for real.");
story.line("The devices on the dev cluster are not real GPUs; their scheduling is. Models run on the CPU here.");

// The control plane is compiled in the background from the first second on; nothing in chapter 0 needs it.
const entered = enterWorld({ name: values.name, nodes: 2, kubeconfig: values.kubeconfig }, (text) => story.line(text));
entered.catch(() => undefined);
const cleanUp = async (world: World): Promise<void> => {
  if (values.kubeconfig === undefined) return world.cluster.down();
  await world.cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found"]);
  await world.leave();
};
if (!values.keep) whenInterrupted(async () => cleanUp(await entered));
story.chapter(0, "The server alone, while Kubernetes is being built");
await serveAlone(story);

const world = await entered;
try {
  await world.namespace(NAMESPACE);
  await angleChapter(story, world);
  await recogniserChapter(story, world);
  await scarcityChapter(story, world);
  await brokenChapter(story, world);
  story.chapter(5, "What to try next");
  if (values.keep) {
    const name = values.kubeconfig === undefined ? values.name : undefined;
    const { hostKubeconfig: kubeconfig } = world.cluster;
    for (const command of nextCommands({ kubeconfig, name, namespace: NAMESPACE })) story.command(command);
  } else {
    story.command("npm run demo -- --keep     # the same, and leaves the cluster for you");
    story.command("npm test                   # everything that CI runs");
    story.command("npm run serve -- --help    # the server without a cluster");
  }
} finally {
  if (!values.keep) {
    await cleanUp(world);
    story.line("cleaned up");
  }
}
