/** `npm run test:faults -- operator`: the operator against a real API server, through a proxy that does it harm. */

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { createClient } from "../../../operator/platform/kube/create-client.ts";
import { readKubeConfig } from "../../../operator/platform/kube/kubeconfig.ts";
import { createTransport } from "../../../operator/platform/kube/transport.ts";
import { enterWorld, ROOT } from "../../world/index.ts";
import { whenInterrupted } from "../../world/interrupted.ts";
import { randomFrom } from "../../world/random.ts";
import { wrongClockFaults } from "./clocks.ts";
import { killAt, MOMENTS } from "./kills.ts";
import { takeOver } from "./operator-process.ts";
import { type Fault, play, playReference, type Reference, type Stage } from "./play.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { pausedLeader, pausedWithWrites } from "./succession.ts";
import { upstreamOf } from "./upstream.ts";
import { compaction, cutWatches, heldWatch, hungRequest, lostAnswers, staleLists, storm } from "./weather.ts";

export type Options = {
  seed: number;
  /** How many of the places where the operator can be killed, and of the other faults; undefined: all of them. */
  sample: number | undefined;
  /** Names; empty: all. */
  scenarios: readonly string[];
  /** Words in the name of a fault: only such, and no kills. */
  fault: string | undefined;
  /** Of the dev cluster. */
  cluster: string;
  keep: boolean;
};

type Report = (line: string) => void;
type Trial = { scenario: Scenario; fault: Fault };

export const SCENARIO_NAMES = SCENARIOS.map(({ name }) => name);

/** Those of `all` that the seed chooses, `count` of them at most. */
const choose = <T>(all: readonly T[], count: number, random: () => number): T[] =>
  all
    .map((one) => ({ one, place: random() }))
    .toSorted((one, other) => one.place - other.place)
    .slice(0, count)
    .map(({ one }) => one);

const scenarioOf = (name: string): Scenario => {
  const found = SCENARIOS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}; there are: ${SCENARIO_NAMES.join(", ")}`);
  return found;
};

/** What is not a kill: each with the scenario that it can do the most harm to. */
const weatherOf = (stage: Stage, seed: number): Trial[] => {
  const create = scenarioOf("create");
  const update = scenarioOf("update");
  return [
    { scenario: update, fault: storm(seed) },
    { scenario: create, fault: storm(seed + 1) },
    { scenario: create, fault: lostAnswers },
    { scenario: update, fault: lostAnswers },
    { scenario: create, fault: hungRequest },
    { scenario: update, fault: cutWatches },
    { scenario: create, fault: heldWatch("deployments") },
    { scenario: update, fault: heldWatch("modeldeployments") },
    { scenario: update, fault: heldWatch("pods") },
    { scenario: scenarioOf("recreate"), fault: heldWatch("modeldeployments") },
    { scenario: create, fault: compaction },
    { scenario: update, fault: compaction },
    { scenario: create, fault: staleLists },
    { scenario: update, fault: staleLists },
    { scenario: update, fault: pausedLeader(stage) },
    { scenario: create, fault: pausedLeader(stage) },
    { scenario: update, fault: pausedWithWrites(stage) },
    { scenario: create, fault: pausedWithWrites(stage) },
    // no scenario is too short, or writes too little, for a wrong clock
    ...SCENARIOS.flatMap((scenario) => wrongClockFaults.map((fault) => ({ scenario, fault }))),
  ];
};

const trials = async (stage: Stage, options: Options, report: Report): Promise<boolean> => {
  const random = randomFrom(options.seed);
  const asked = options.scenarios.length === 0 ? SCENARIOS : options.scenarios.map(scenarioOf);
  // Each scenario is played once undisturbed, which takes the time of several trials: a sample has two.
  const scenarios = options.sample === undefined ? asked : choose(asked, 2, random);
  const references = new Map<Scenario, Reference>();
  const referenceOf = async (scenario: Scenario): Promise<Reference> => {
    const known = references.get(scenario);
    if (known !== undefined) return known;
    const reference = await playReference(stage, scenario);
    references.set(scenario, reference);
    report(
      `${scenario.name}, undisturbed: ${reference.writes.length} writes, ${reference.once.join("; ") || "no create or delete"}`,
    );
    return reference;
  };

  let passed = 0;
  const failed: string[] = [];
  let missed = 0;
  const attempt = async ({ scenario, fault }: Trial, reached: () => string | undefined): Promise<void> => {
    const reference = await referenceOf(scenario);
    const { wrong, seconds } = await play(stage, scenario, fault, reference);
    const what = reached();
    const title = `${scenario.name}: ${fault.name}${what === undefined ? "" : ` (${what})`}`;
    if (wrong === undefined) passed += 1;
    else failed.push(title);
    report(`${wrong === undefined ? "ok    " : "FAILED"} ${title}, ${seconds.toFixed(1)} s`);
    if (wrong !== undefined) report(wrong.replace(/^/gm, "         "));
  };

  let places = 0;
  const { fault: words } = options;
  for (const scenario of words === undefined ? scenarios : []) {
    const { writes } = await referenceOf(scenario);
    const all = writes.flatMap((_, i) => MOMENTS.map((moment) => ({ number: i + 1, moment })));
    places += all.length;
    for (const { number, moment } of options.sample === undefined ? all : choose(all, options.sample, random)) {
      let reached: string | undefined;
      const fault = killAt(number, moment, (what) => {
        reached = what;
      });
      await attempt({ scenario, fault }, () => reached ?? "not reached: this run had fewer writes");
      if (reached === undefined) missed += 1;
    }
  }
  const weather = weatherOf(stage, options.seed).filter(
    ({ fault, scenario }) => asked.includes(scenario) && (words === undefined || fault.name.includes(words)),
  );
  const isWhole = options.sample === undefined || words !== undefined;
  for (const trial of isWhole ? weather : choose(weather, options.sample ?? 0, random)) {
    await attempt(trial, () => undefined);
  }
  report(
    `${passed} of ${passed + failed.length} ended as the undisturbed run did; ${places} places where it can be killed in ${scenarios.length} scenarios` +
      `${missed > 0 ? `; ${missed} were not reached, because a run had fewer writes than the undisturbed one` : ""}`,
  );
  for (const title of failed) report(`FAILED ${title}`);
  return failed.length === 0;
};

/** Resolves to whether every trial ended well. */
export const testOperator = async (options: Options): Promise<boolean> => {
  const started = performance.now();
  const report: Report = (line) =>
    console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  // what a dev cluster needs of the system; nothing where it is there
  execFileSync("bash", [join(ROOT, "build/setup.sh"), "system", "true"], { cwd: ROOT, stdio: "inherit" });
  const entered = enterWorld({ name: options.cluster, nodes: 1 }, report);
  if (!options.keep) whenInterrupted(async () => (await entered).cluster.down());
  const world = await entered;
  const transport = createTransport(readKubeConfig(world.cluster.hostKubeconfig));
  try {
    const installed = await takeOver(world.cluster);
    const upstream = await upstreamOf(world.cluster.hostKubeconfig);
    return await trials({ world, admin: createClient(transport), installed, upstream }, options, report);
  } finally {
    await transport.close();
    if (options.keep) report(`left as it is: export KUBECONFIG=${world.cluster.hostKubeconfig}`);
    else await world.cluster.down();
  }
};
