/** What Flux and Argo CD make of a ModelDeployment in each of its states. */
import type { CheckResult } from "../results.ts";
import { judge } from "./judge.ts";
import { states } from "./states.ts";

export const runKstatus = async (report: (line: string) => void): Promise<CheckResult[]> => {
  const all = await states();
  const told = await judge(
    all.map(({ object }) => object),
    report,
  );
  return all.map(({ title, object, kstatus, health }, i) => {
    const got = told[i];
    const ok = got?.kstatus === kstatus && got.health === health;
    const wanted = ok ? "" : `, wanted ${kstatus} and ${health}; its status: ${JSON.stringify(object.status)}`;
    return { suite: "kstatus", name: title, ok, detail: `kstatus ${got?.kstatus}, Argo CD ${got?.health}${wanted}` };
  });
};
