/** kill -9 around a write of the operator: before it is carried out, between that and its answer, and after the answer. */
import type { Fault } from "./play.ts";
import type { Call } from "./proxy.ts";

export const MOMENTS = ["before", "committed", "answered"] as const;
export type Moment = (typeof MOMENTS)[number];

/** At the `number`th write after the user has acted, from 1 on. `reached` is told when that write came. */
export const killAt = (number: number, moment: Moment, reached: (what: string) => void): Fault => ({
  name: `kill -9 ${moment === "before" ? "before" : moment === "committed" ? "in the middle of" : "after"} write ${number}`,
  async begin({ proxy, killAndRestart }) {
    let count = 0;
    let victim: Call | undefined;
    const kill = (): void => {
      if (victim === undefined) return;
      reached(victim.what);
      void killAndRestart();
    };
    proxy.rule({
      fate(call) {
        if (!call.isWrite || ++count !== number) return { do: "forward" };
        victim = call;
        if (moment === "answered") return { do: "forward" };
        if (moment === "committed") return { do: "lose" };
        kill();
        return { do: "reset" };
      },
      committed(call) {
        if (moment === "committed" && call === victim) kill();
      },
      delivered(call) {
        if (moment === "answered" && call === victim) kill();
      },
    });
    return undefined;
  },
});
