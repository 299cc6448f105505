/**
 * Loaded into the operator before anything else (`--import`): its node's clock is off by the milliseconds in `BERTH_CLOCK_OFF`, and by the
 * next of them every two seconds, where there are several.
 */
const STEP_MS = 2000;

const offsets = (process.env.BERTH_CLOCK_OFF ?? "0").split(",").map(Number);
const read = Date.now;
const now = (): number => read() + (offsets[Math.floor(performance.now() / STEP_MS) % offsets.length] ?? 0);

globalThis.Date = new Proxy(Date, {
  construct: (target, given, newTarget) => Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget),
  apply: () => new Date(now()).toString(),
  get: (target, name, receiver) => (name === "now" ? now : Reflect.get(target, name, receiver)),
});
