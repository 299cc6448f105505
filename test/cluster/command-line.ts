import { parseArgs } from "node:util";
import { ClusterError } from "./errors.ts";
import { defaultDevices, defaultName, defaultNodes, familyChoices, maxDevices, maxNodes } from "./plan.ts";
import type { LogQuery, UpOptions } from "./types.ts";

/** What the command line asks for. */
export type Command =
  | { do: "help" | "build" }
  | { do: "up"; options: UpOptions }
  | { do: "down"; which: { name: string } | "every" }
  | { do: "status" | "kubeconfig"; name: string }
  | { do: "load"; name: string; archives: string[] }
  | { do: "logs"; name: string; query: LogQuery }
  | { do: "kubectl" | "run"; name: string; command: string[] }
  | { do: "crash" | "revive"; name: string; component: string; node: number }
  | { do: "power"; name: string; node: number; state: "on" | "off" }
  | { do: "link"; name: string; node: number; state: "up" | "down" }
  | { do: "devices"; name: string; node: number; count: number; unhealthy: number };

/** The command line cannot be understood; the message says what would be. */
export class UsageError extends ClusterError {
  override name = "UsageError";
}

export const help = `npm run cluster -- COMMAND [--name NAME]

A real Kubernetes on this machine: API server, etcd, scheduler, controller manager, kubelets, containerd and cluster DNS,
in namespaces of its own, without a way out. Its devices are NOT real GPUs: a plugin offers them to the kubelets, so
their scheduling, allocation and health are real, and nothing computes on them. NetworkPolicy is not enforced; there is
no storage class. Everything needs root.

Start and end
  up [--nodes N] [--devices N]   1 to ${maxNodes} nodes (default ${defaultNodes}), 0 to ${maxDevices} devices on each (default ${defaultDevices}); repeat at will
     [--families F]              of pods' and Services' addresses: ${familyChoices.join(" or ")} (default ${familyChoices[0]})
  down [--all]                   end it and leave nothing behind; --all: every cluster of this machine, whoever started it
  build                          build the programs only (5 to 10 minutes the first time)

Use
  kubeconfig                     print the path of the kubeconfig for this machine:
                                   export KUBECONFIG=$(npm run -s cluster -- kubeconfig)
  kubectl ARGS...                run kubectl
  run PROGRAM ARGS...            run a program in the cluster's network, where pods and Services can be reached
  load IMAGE.tar...              import OCI image archives on every node
  status                         nodes, components, devices
  logs [COMPONENT] [--node N] [--tail LINES]

Faults, for tests
  crash COMPONENT [NODE]         kill a component (on node 0, if none is given)
  revive COMPONENT [NODE]        start it again
  power NODE on|off              lose a node with all that runs on it; have it back
  link NODE up|down              join a node to the others; cut it off
  devices NODE COUNT [UNHEALTHY] give a node so many devices, the first of them unhealthy

Options
  --name NAME                    which cluster, 1 to 8 of a-z and 0-9 (default ${defaultName}); several run side by side.
                                 Of kubectl and run: before their own arguments

Environment
  BERTH_STATE_DIR                where clusters keep their files (default /var/lib/berth-dev); not on overlayfs
  XDG_CACHE_HOME                 where built programs are kept, in berth/tools (default ~/.cache)`;

const options = {
  name: { type: "string", default: defaultName },
  nodes: { type: "string" },
  devices: { type: "string" },
  families: { type: "string" },
  node: { type: "string" },
  tail: { type: "string" },
  all: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

type Option = keyof typeof options;

/** The options of each command beside --name and --help, and how many arguments it takes. */
const shapes: Record<Command["do"], { options?: Option[]; arguments: [min: number, max: number]; usage: string }> = {
  help: { arguments: [0, Number.POSITIVE_INFINITY], usage: "help" },
  build: { arguments: [0, 0], usage: "build" },
  up: {
    options: ["nodes", "devices", "families"],
    arguments: [0, 0],
    usage: "up [--nodes N] [--devices N] [--families F]",
  },
  down: { options: ["all"], arguments: [0, 0], usage: "down [--all]" },
  status: { arguments: [0, 0], usage: "status" },
  kubeconfig: { arguments: [0, 0], usage: "kubeconfig" },
  load: { arguments: [1, Number.POSITIVE_INFINITY], usage: "load IMAGE.tar..." },
  logs: { options: ["node", "tail"], arguments: [0, 1], usage: "logs [COMPONENT] [--node N] [--tail LINES]" },
  kubectl: { arguments: [0, Number.POSITIVE_INFINITY], usage: "kubectl ARGS..." },
  run: { arguments: [1, Number.POSITIVE_INFINITY], usage: "run PROGRAM ARGS..." },
  crash: { arguments: [1, 2], usage: "crash COMPONENT [NODE]" },
  revive: { arguments: [1, 2], usage: "revive COMPONENT [NODE]" },
  power: { arguments: [2, 2], usage: "power NODE on|off" },
  link: { arguments: [2, 2], usage: "link NODE up|down" },
  devices: { arguments: [2, 3], usage: "devices NODE COUNT [UNHEALTHY]" },
};

const isCommand = (word: string): word is Command["do"] => Object.hasOwn(shapes, word);

/** Reads the words after `npm run cluster --`. Throws `UsageError`. */
export const parseCommandLine = (words: readonly string[]): Command => {
  const { own, passed } = split(words);
  const { values, positionals } = read(own);
  const [first, ...args] = positionals;
  if (values.help || first === undefined) return { do: "help" };
  if (!isCommand(first)) throw new UsageError(`no command "${first}": see npm run cluster -- --help`);
  const shape = shapes[first];
  const usage = `usage: npm run cluster -- ${shape.usage}`;
  for (const option of ["nodes", "devices", "families", "node", "tail", "all"] as const) {
    const given = values[option] !== undefined && values[option] !== false;
    if (given && !shape.options?.includes(option)) throw new UsageError(`${first} has no option --${option}; ${usage}`);
  }
  const all = [...args, ...passed];
  const [min, max] = shape.arguments;
  if (all.length < min || all.length > max) throw new UsageError(usage);
  const number = (what: string, text: string): number => {
    if (/^\d{1,6}$/.test(text)) return Number(text);
    throw new UsageError(`${what} "${text}" is not a whole number; ${usage}`);
  };
  const optional = <K extends string>(key: K, text: string | undefined): { [P in K]?: number } =>
    text === undefined ? {} : ({ [key]: number(`--${key}`, text) } as { [P in K]: number });
  const choice = <T extends string>(text: string, ...of: T[]): T => {
    const found = of.find((candidate) => candidate === text);
    if (found === undefined) throw new UsageError(`"${text}" is not ${of.join(" or ")}; ${usage}`);
    return found;
  };
  const { name } = values;
  const [one = "", two = "", three = "0"] = all;
  switch (first) {
    case "help":
    case "build":
      return { do: first };
    case "up":
      return {
        do: "up",
        options: {
          ...{ name, ...optional("nodes", values.nodes), ...optional("devices", values.devices) },
          ...(values.families === undefined ? {} : { families: choice(values.families, ...familyChoices) }),
        },
      };
    case "down":
      return { do: "down", which: values.all ? "every" : { name } };
    case "status":
    case "kubeconfig":
      return { do: first, name };
    case "load":
      return { do: "load", name, archives: all };
    case "logs": {
      const component = all[0] === undefined ? {} : { component: all[0] };
      return {
        do: "logs",
        name,
        query: { ...component, ...optional("node", values.node), ...optional("tail", values.tail) },
      };
    }
    case "kubectl":
    case "run":
      return { do: first, name, command: all };
    case "crash":
    case "revive":
      return { do: first, name, component: one, node: two === "" ? 0 : number("NODE", two) };
    case "power":
      return { do: "power", name, node: number("NODE", one), state: choice(two, "on", "off") };
    case "link":
      return { do: "link", name, node: number("NODE", one), state: choice(two, "up", "down") };
    case "devices":
      return {
        do: "devices",
        name,
        node: number("NODE", one),
        count: number("COUNT", two),
        unhealthy: number("UNHEALTHY", three),
      };
  }
};

/** What follows `kubectl` or `run` belongs to that program, options included; only a `--name` right after the word is ours. */
const split = (words: readonly string[]): { own: string[]; passed: string[] } => {
  const at = words.findIndex((word, i) => (word === "kubectl" || word === "run") && words[i - 1] !== "--name");
  if (at === -1) return { own: [...words], passed: [] };
  let end = at + 1;
  for (let word = words[end]; word === "--name" || word?.startsWith("--name="); word = words[end])
    end += word === "--name" ? 2 : 1;
  return { own: words.slice(0, end), passed: words.slice(end) };
};

const read = (words: string[]) => {
  try {
    return parseArgs({ args: words, options, allowPositionals: true, strict: true });
  } catch (error) {
    // node says which option it does not know, and then explains at length how to pass it as an argument
    const message = error instanceof Error ? error.message.split(". ")[0] : String(error);
    throw new UsageError(`${message}: see npm run cluster -- --help`);
  }
};
