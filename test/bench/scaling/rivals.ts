/**
 * The rules of others at their documented defaults, written anew from their documentation and sources: Knative's KPA (config-autoscaler,
 * 98e5ef90), the HPA (15 s, tolerance 0.1, 300 s), KEDA's http-add-on (an HPA from 1 on, 300 s to zero) and KubeAI (10 s, mean of 10 min).
 * What each leaves to its user, requests under way on a pod, is what the model can take: its batch. `setting` scales that.
 */
import type { MakeRule, Rule, View } from "./rules.ts";

/** Samples of the last so many seconds. */
const windowOf = (seconds: number) => {
  let samples: { at: number; value: number }[] = [];
  return {
    add: (at: number, value: number): void => {
      samples = [...samples.filter((sample) => sample.at > at - seconds), { at, value }];
    },
    mean: (last = seconds): number => {
      const newest = samples.at(-1)?.at ?? 0;
      const chosen = samples.filter(({ at }) => at > newest - last);
      return chosen.reduce((sum, { value }) => sum + value, 0) / Math.max(1, chosen.length);
    },
  };
};

const inSystem = ({ inFlight, waiting }: View): number => inFlight + waiting;

/** `share`: of a pod's slots, `container-concurrency-target-percentage`. */
export const kpa =
  (share = 0.7): MakeRule =>
  ({ most, slots }) => {
    const samples = windowOf(60);
    const target = slots * share;
    let panicUntil = -1;
    let panicPods = 0;
    let idleSince: number | undefined;
    return (view) => {
      const { now, pods, ready } = view;
      samples.add(now, inSystem(view));
      const stable = samples.mean();
      const isWaking = pods === 0 && inSystem(view) > 0;
      if (now % 2 !== 0 && !isWaking) return undefined;
      const least = Math.floor(ready / 2);
      const greatest = 1000 * Math.max(1, ready);
      const clamped = (value: number): number => Math.min(Math.max(Math.ceil(value / target), least), greatest);
      const wantedStable = clamped(stable);
      const wantedPanic = clamped(samples.mean(6));
      if (wantedPanic / Math.max(1, ready) >= 2) {
        if (now > panicUntil) panicPods = 0;
        panicUntil = now + 60;
      }
      let wanted = wantedStable;
      if (now <= panicUntil) {
        panicPods = Math.max(panicPods, wantedPanic, wantedStable);
        wanted = panicPods;
      }
      if (stable > 0) {
        idleSince = undefined;
        return Math.min(Math.max(wanted, 1), most);
      }
      // 30 s of grace, in which the activator takes the path over
      idleSince ??= now;
      return now - idleSince >= 30 ? 0 : Math.min(1, pods);
    };
  };

type Hpa = { now: number; pods: number; desired: number; stabilization: number };

/** What the HPA makes of what it has computed: rates of change and stabilization. */
const hpaBehaviour = () => {
  const recommendations: { at: number; value: number }[] = [];
  return ({ desired, now, pods, stabilization }: Hpa): number => {
    recommendations.push({ at: now, value: desired });
    while ((recommendations[0]?.at ?? now) <= now - stabilization) recommendations.shift();
    const stabilized = Math.max(...recommendations.map(({ value }) => value));
    if (desired > pods) return Math.min(desired, Math.max(2 * pods, pods + 4));
    return Math.min(pods, stabilized);
  };
};

/** By the share of the time that pods are at work. */
export const hpa =
  (target = 0.8, stabilization = 300): MakeRule =>
  ({ most }) => {
    const busy = windowOf(15);
    const behaviour = hpaBehaviour();
    return (view) => {
      const { now, pods, ready } = view;
      busy.add(now, view.busy);
      if (now % 15 !== 0 || ready === 0) return undefined;
      const ratio = busy.mean() / target;
      const unready = pods - ready;
      let desired = pods;
      if (Math.abs(ratio - 1) > 0.1) {
        // pods without metrics count as idle where it goes up
        const adjusted = ratio > 1 && unready > 0 ? (ratio * ready) / pods : ratio;
        const isTurned = ratio > 1 && adjusted < 1;
        if (!isTurned && Math.abs(adjusted - 1) > 0.1) desired = Math.ceil(adjusted * (ratio > 1 ? pods : ready));
      }
      return Math.min(Math.max(behaviour({ now, pods, desired, stabilization }), 1), most);
    };
  };

/** `share`: of a pod's slots. */
export const kedaHttp =
  (share = 1, cooldown = 300): MakeRule =>
  ({ most, slots }) => {
    const behaviour = hpaBehaviour();
    const target = slots * share;
    let busyAt = 0;
    return (view) => {
      const { now, pods } = view;
      const total = inSystem(view);
      if (view.arrivals > 0 || total > 0) busyAt = now;
      if (pods === 0) return total > 0 ? 1 : undefined;
      if (now - busyAt >= cooldown) return 0;
      if (now % 15 !== 0) return undefined;
      const ratio = total / (target * pods);
      const desired = Math.abs(ratio - 1) <= 0.1 ? pods : Math.ceil(total / target);
      return Math.min(Math.max(behaviour({ now, pods, desired, stabilization: 300 }), 1), most);
    };
  };

/** `share`: of a pod's slots, `targetRequests`. */
export const kubeAi =
  (share = 1, window = 600): MakeRule =>
  ({ most, slots }) => {
    const samples = windowOf(window);
    let below = 0;
    return (view): ReturnType<Rule> => {
      const { now, pods } = view;
      if (pods === 0 && inSystem(view) > 0) return 1;
      if (now % 10 !== 0) return undefined;
      samples.add(now, inSystem(view));
      const desired = Math.min(Math.ceil(samples.mean() / (slots * share)), most);
      if (desired >= pods) {
        below = 0;
        return desired;
      }
      below++;
      // scaleDownDelaySeconds: 30
      return below >= 3 ? desired : undefined;
    };
  };
