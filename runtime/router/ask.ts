/**
 * Asks pods that have an address and are not ready yet whether they are, while requests wait for one: the kubelet asks once a
 * second at best, and what it learns takes its way through the API server.
 */
import { request } from "node:http";
import type { Arm, Fleet, PodPlace } from "./fleet.ts";

/** 20 ms at first, 50 ms after 3 s; a model that takes a minute to load is asked twice a second. */
const FIRST_MS = 20;
const LONGEST_MS = 500;
const FACTOR = 1.01;
const ANSWER_MS = 1000;

export type Asker = {
  /** Somebody waits for a pod of this revision. */
  wanted(arm: Arm): void;
  stop(): void;
};

/** @param path on the pod's HTTP port that answers 200 once it is ready */
export const createAsker = (fleet: Fleet, path: string): Asker => {
  const asking = new Set<string>();
  const timers = new Set<NodeJS.Timeout>();

  const askAll = async (arm: Arm): Promise<void> => {
    const starting = arm.pods.filter(({ isReady }) => !isReady);
    await Promise.all(
      starting.map(async ({ place }) => {
        if (await isReady(place, path)) fleet.setReady(arm.revision, place.name);
      }),
    );
  };
  const askAgain = (arm: Arm, ms: number): void => {
    if (arm.room.size() === 0) {
      asking.delete(arm.revision);
      return;
    }
    const timer = setTimeout(() => {
      timers.delete(timer);
      void askAll(arm).then(() => askAgain(arm, Math.min(LONGEST_MS, ms * FACTOR)));
    }, ms);
    timers.add(timer);
  };

  return {
    wanted(arm) {
      if (asking.has(arm.revision)) return;
      asking.add(arm.revision);
      askAgain(arm, FIRST_MS);
    },
    stop() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
};

const isReady = ({ host, httpPort }: PodPlace, path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const asked = request({ host, port: httpPort, path, agent: false, timeout: ANSWER_MS }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });
