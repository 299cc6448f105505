/** Made-up loads, models and clusters. A trace is what comes, what serves it, and what there is to serve it on. */

/** Requests a second, at a second since the beginning. */
type Rate = (second: number) => number;

export type Trace = {
  name: string;
  /** Seconds. */
  length: number;
  rate: Rate;
  /** A run of n items takes each + n × perItem seconds. */
  model: { each: number; perItem: number; maxBatch: number };
  /** Seconds from a device to ready, give or take a sixth. */
  start: number;
  /** The share of starts that fail at their end, and begin again. */
  flaky?: number;
  /** Devices there are; a pod takes one. */
  devices: number;
  /** Load that comes all of a sudden, stops, or meets a slow start: where the goal is more than not to be beaten. */
  isHard: boolean;
};

/** Five requests a second on one pod, one at a time. */
const ALONE = { each: 0.2, perItem: 0, maxBatch: 1 };
/** Up to 32 in a run: 381 a second at most, 45 where each comes alone. */
const BATCHED = { each: 0.02, perItem: 0.002, maxBatch: 32 };
const PLENTY = 64;

const step =
  (low: number, high: number, from: number, to: number): Rate =>
  (second) =>
    second >= from && second < to ? high : low;

/** From `low` to `high` and back in `period` seconds, beginning at the lowest. */
const wave =
  (low: number, high: number, period: number): Rate =>
  (second) =>
    low + ((high - low) * (1 - Math.cos((2 * Math.PI * second) / period))) / 2;

/** `high` for `on` seconds in each `period`, `low` otherwise. */
const pulses =
  (low: number, high: number, on: number, period: number): Rate =>
  (second) =>
    second % period >= period - on ? high : low;

const slow = (start: number): Trace => ({
  name: `20, and 80 a second for 160 s, ${start} s to start`,
  ...{ length: 900, rate: step(20, 80, 300, 460), model: ALONE, start, devices: PLENTY, isHard: true },
});

export const TRACES: readonly Trace[] = [
  {
    name: "20 → 80 → 20 a second, 15 min each, 20 s to start",
    ...{ length: 2700, rate: step(20, 80, 900, 1800), model: ALONE, start: 20, devices: PLENTY, isHard: false },
  },
  slow(5),
  slow(60),
  slow(300),
  {
    name: "spikes: 10, and 80 a second for 30 s in 10 min, 20 s to start",
    ...{ length: 3600, rate: pulses(10, 80, 30, 600), model: ALONE, start: 20, devices: PLENTY, isHard: true },
  },
  {
    name: "a day in two hours: 5 to 60 a second, 30 s to start",
    ...{ length: 14_400, rate: wave(5, 60, 7200), model: ALONE, start: 30, devices: PLENTY, isHard: false },
  },
  {
    name: "on and off: 30 a second for 1 min, nothing for 9, 10 s to start",
    ...{ length: 7200, rate: pulses(0, 30, 60, 600), model: ALONE, start: 10, devices: PLENTY, isHard: true },
  },
  {
    name: "on and off: 30 a second for 5 min, nothing for 15, 60 s to start",
    ...{ length: 7200, rate: pulses(0, 30, 300, 1200), model: ALONE, start: 60, devices: PLENTY, isHard: true },
  },
  {
    name: "30 → 60 a second, 30 s to start, of which a third fail",
    ...{
      length: 3600,
      rate: step(30, 60, 900, 2700),
      model: ALONE,
      start: 30,
      flaky: 0.33,
      devices: PLENTY,
      isHard: true,
    },
  },
  {
    name: "20 → 50 a second for 5 min, 30 s to start, 8 devices",
    ...{ length: 3600, rate: step(20, 50, 900, 1200), model: ALONE, start: 30, devices: 8, isHard: true },
  },
  {
    name: "batches: 200 → 1500 → 200 a second, 30 s to start",
    ...{ length: 1800, rate: step(200, 1500, 600, 1200), model: BATCHED, start: 30, devices: PLENTY, isHard: true },
  },
  {
    name: "batches: 100 to 1000 a second in an hour, 30 s to start",
    ...{ length: 3600, rate: wave(100, 1000, 3600), model: BATCHED, start: 30, devices: PLENTY, isHard: false },
  },
  {
    name: "now and then: one request in 2 min, 5 s to start",
    ...{ length: 36_000, rate: () => 1 / 120, model: ALONE, start: 5, devices: PLENTY, isHard: false },
  },
];
