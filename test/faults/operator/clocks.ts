/** Nodes whose clocks are off by ten minutes, and step: what one leader begins another goes on with. */
import { MODEL_ROLLOUTS, type ModelDeployment } from "../../../operator/api/v1alpha1/index.ts";
import { EVENTS } from "../../../operator/platform/kube/resources.ts";
import { eventually } from "../../world/patience.ts";
import type { Arena } from "./arena.ts";
import { OURS } from "./end-state.ts";
import type { Fault } from "./play.ts";

const OFF_MS = 600_000;
/** Of the time that is written and the API server's: its `Date` counts whole seconds. */
const NEAR_MS = 5_000;

const clock = (...offsets: readonly number[]): Readonly<Record<string, string>> => ({
  BERTH_CLOCK_OFF: offsets.join(","),
  NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --import=${new URL("./shifted-clock.ts", import.meta.url)}`,
});

/** The first leader's clock is off by `first` and the next one's by `second`; that one follows in the middle of what is done. */
const wrongClocks = (name: string, first: readonly number[], second: readonly number[]): Fault => ({
  name,
  async begin({ arena, proxy, killAndRestart }, undisturbed) {
    await killAndRestart({ env: clock(...first) });
    const before = await arena.read();
    // by the API server's clock, which is this machine's; the operator before had a right one
    const begun = Date.parse(before?.metadata.creationTimestamp ?? new Date().toISOString());
    const middle = Math.ceil(undisturbed.writes.length / 2);
    let writes = 0;
    let followed = false;
    const follow = (): void => {
      followed = true;
      void killAndRestart({ env: clock(...second) });
    };
    proxy.rule({
      delivered(call) {
        if (call.isWrite && ++writes === middle) follow();
      },
    });
    // where the operator has nothing to write, while Kubernetes takes away what was there
    if (middle === 0) void untilGone(arena, before).then(follow);
    return async () => {
      if (!followed) return "no second leader followed: the fault did not happen";
      const wrong = (await timesOf(arena)).filter(({ at }) => at < begun - NEAR_MS || at > Date.now() + NEAR_MS);
      return wrong.length === 0
        ? undefined
        : wrong.map(({ path, text }) => `a wrong time: ${path} = ${text}`).join("\n");
    };
  },
});

const untilGone = (arena: Arena, before: ModelDeployment | undefined): Promise<void> =>
  eventually("the ModelDeployment is gone", async () => (await arena.read())?.metadata.uid !== before?.metadata.uid);

export const wrongClockFaults: readonly Fault[] = [
  wrongClocks("a leader's clock is 10 min ahead, the next one's 10 min behind", [OFF_MS], [-OFF_MS]),
  wrongClocks("a leader's clock is 10 min behind, the next one's 10 min ahead", [-OFF_MS], [OFF_MS]),
  wrongClocks("both leaders' clocks step back and forth by 20 min", [OFF_MS, -OFF_MS], [-OFF_MS, OFF_MS, 0]),
];

type Time = { path: string; text: string; at: number };

/** Every time in the objects of the namespace; those that Kubernetes writes are right. */
const timesOf = async (arena: Arena): Promise<Time[]> => {
  const found: Time[] = [];
  for (const resource of [...OURS, MODEL_ROLLOUTS, EVENTS]) {
    for (const { metadata, ...object } of await arena.list(resource)) {
      const path = `${resource.kind}/${metadata.name}`;
      collect(`${path}.annotations`, metadata.annotations, found);
      collect(path, object, found);
    }
  }
  return found;
};

const collect = (path: string, value: unknown, found: Time[]): void => {
  if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) collect(`${path}.${key}`, inner, found);
  } else if (typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) {
    found.push({ path, text: value, at: Date.parse(value) });
  }
};
