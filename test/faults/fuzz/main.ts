/** Made-up clients, and pods, against a real process for as long as one likes: after each case it lives, holds nothing, and serves others. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { until } from "../../world/patience.ts";
import { MIB } from "../server/memory.ts";
import { createBystander } from "./bystander.ts";
import { type Client, client, play } from "./clients.ts";
import { type Answer, answer } from "./made-up-pods.ts";
import { startRouterTarget } from "./router.ts";
import { startServerTarget } from "./server.ts";
import type { Target } from "./target.ts";

type Case = { clients: Client[]; answers: Answer[] };
const made: fc.Arbitrary<Case> = fc.record({
  clients: fc.array(client, { minLength: 1, maxLength: 4 }),
  answers: fc.array(answer, { minLength: 1, maxLength: 4 }),
});

/** The same for the same numbers. */
const caseOf = (seed: number, number: number): Case => {
  const [one] = fc.sample(made, { seed: (Math.imul(seed, 0x9e3779b1) + number) | 0, numRuns: 1 });
  return one ?? assert.fail("there is no case");
};

/** Memory above what the process has after its first cases: heaps that have grown, and allocators, keep some, once. */
const MOST_KEPT_BYTES = 200 * MIB;
/** Connections that are kept for bystanders and to pods, and those that are just being closed. */
const MOST_HANDLES = 64;
const FIRST_CASES = 20;
const TELL_MS = 10_000;

export type FuzzOptions = {
  target: "server" | "router";
  seed: number;
  minutes: number;
  /** This case alone. */
  only?: number | undefined;
};

/** Resolves to whether nothing was found. */
export const fuzz = async ({ minutes, only, seed, target: name }: FuzzOptions): Promise<boolean> => {
  const ends: (() => Promise<void>)[] = [];
  const t = { after: (end: () => Promise<void>) => void ends.push(end) };
  try {
    const target = await (name === "server" ? startServerTarget(t) : startRouterTarget(t));
    const bystander = createBystander(target.bystander ?? target.ports, target.asks);
    t.after(async () => bystander.close());
    return await playAll(target, bystander.asks, { target: name, seed, minutes, only });
  } finally {
    for (const end of ends) await end();
  }
};

const playAll = async (
  target: Target,
  ask: (number: number) => Promise<void>,
  { minutes, only, seed, target: name }: FuzzOptions,
): Promise<boolean> => {
  await ask(0);
  const rest = { handles: target.handles(), memory: target.memory() };
  const began = performance.now();
  const end = began + minutes * 60_000;
  let told = began;
  let clients = 0;
  const first = only ?? 1;
  const tell = (number: number): void => {
    const seconds = Math.round((performance.now() - began) / 1000);
    const now = `${Math.round(target.memory() / MIB)} MiB, ${target.handles()} handles`;
    console.log(`${name} --seed ${seed}: ${number} cases, ${clients} clients, ${seconds} s; now ${now}`);
    told = performance.now();
  };
  for (let number = first; ; number++) {
    const made = caseOf(seed, number);
    clients += made.clients.length;
    try {
      await playOne(target, ask, made, number, rest);
    } catch (error) {
      tell(number);
      console.error(`case ${number} fails; it alone: npm run test:faults -- ${name} --seed ${seed} --case ${number}`);
      console.error(error);
      return false;
    }
    if (number - first === FIRST_CASES) rest.memory = target.memory();
    const isOver = only !== undefined || performance.now() > end;
    if (isOver || performance.now() > told + TELL_MS) tell(number - first + 1);
    if (isOver) return true;
  }
};

const playOne = async (
  target: Target,
  ask: (number: number) => Promise<void>,
  { answers, clients }: Case,
  number: number,
  rest: { handles: number; memory: number },
): Promise<void> => {
  const alive = (): void => {
    const why = target.ended();
    if (why !== undefined) throw new Error(why);
  };
  target.begin(number, answers);
  await Promise.all(clients.map((one) => play(one, target.ports[one.door])));
  alive();
  await ask(number);
  let busy: Record<string, number> = {};
  const isIdle = async (): Promise<boolean> => {
    alive();
    busy = await target.busy();
    return Object.values(busy).every((count) => count === 0);
  };
  await until("nothing is under way", isIdle, () => busy);
  await until("the handles come back", () => target.handles() <= rest.handles + MOST_HANDLES, target.handles);
  await until(
    "the memory comes back",
    () => target.memory() <= rest.memory + MOST_KEPT_BYTES,
    () => `${Math.round(target.memory() / MIB)} MiB`,
  );
};
