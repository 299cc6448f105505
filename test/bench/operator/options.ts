/** The command line of `npm run bench -- operator`. */
import { parseArgs } from "node:util";

export type Options = {
  objects: readonly number[];
  changes: number;
  restarts: number;
  idleSeconds: number;
  faults: boolean;
  /** Nothing but ModelDeployments whose number of pods follows their load. */
  scaled: boolean;
  json: string;
};

export const HELP = `Measure the operator: ModelDeployments on a real control plane, their pods on simulated nodes.

  npm run bench -- operator [options]

  --objects N,M   ModelDeployments on one operator, in runs of their own (default: 100,500,1000)
  --changes N     changes of one object each, one after the other (default: 50)
  --restarts N    kill -9 and start again (default: 3)
  --idle N        seconds in which nothing may be asked or written (default: 60)
  --no-faults     without the three faults on a real node
  --scaled        instead: 500 ModelDeployments that sleep and 50 with load, whose number of pods follows that; about 8 minutes
  --quick         100 objects, 20 changes, 2 restarts, 10 s idle: about 2 minutes
  --json FILE     where every figure goes (default: out/bench-operator.json)
  --help

All of it takes about 12 minutes. The first time, KWOK is built with Go (2 minutes).`;

const whole = (text: string, name: string, most: number): number => {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  throw new Error(`--${name}: "${text}" is no whole number from 1 to ${most}`);
};

/** Undefined where only help was asked for. Throws an `Error` of one line. */
export const parseOptions = (args: readonly string[]): Options | undefined => {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ objects: text, changes: text, restarts: text, idle: text, json: text },
      ...{ "no-faults": flag, quick: flag, scaled: flag, help: flag },
    },
  });
  if (values.help) return undefined;
  const { quick } = values;
  return {
    objects: (values.objects ?? (quick ? "100" : "100,500,1000"))
      .split(",")
      .map((part) => whole(part, "objects", 2000)),
    changes: whole(values.changes ?? (quick ? "20" : "50"), "changes", 1000),
    restarts: whole(values.restarts ?? (quick ? "2" : "3"), "restarts", 20),
    idleSeconds: whole(values.idle ?? (quick ? "10" : "60"), "idle", 600),
    faults: !values["no-faults"],
    scaled: values.scaled,
    json: values.json ?? "out/bench-operator.json",
  };
};
