/** The command line of `npm run bench -- server`. */
import { parseArgs } from "node:util";
import { PROTOCOLS, type Protocol } from "./dialects.ts";
import { MODEL_NAMES, type ModelName } from "./models.ts";
import { PEER_LIST } from "./peers.ts";

/** One thing measured of each server that speaks the protocol. */
export type Cell = { protocol: Protocol; connections: number };

export type Options = {
  peers: readonly string[];
  models: readonly ModelName[];
  /** Undefined: the selection below. */
  connections: readonly number[] | undefined;
  protocols: readonly Protocol[] | undefined;
  seconds: number;
  runs: number;
  quick: boolean;
  json: string;
};

/** "raw" is onnxruntime alone. */
const PEER_NAMES = [...PEER_LIST.map(({ name }) => name), "raw"];
const QUICK_PEERS = ["berth", "triton", "fastapi", "raw"];
/** Slow models answer 20 to 200 times a second. */
export const SLOW_FACTOR = 4 / 3;

export const HELP = `Compare this server with others, and with onnxruntime alone as the limit.

  npm run bench -- server [options]

  --peers A,B           ${PEER_NAMES.join(", ")} (default: all; berth is always measured)
  --models A,B          ${MODEL_NAMES.join(", ")} (default: all)
  --connections N,M     at most 256 each
  --protocols A,B       ${PROTOCOLS.join(", ")}
                        Default of both: MLPs with 1 and 32 connections in each, the tiny one with 8 in JSON too; MiniLM
                        with 1 and 32 in JSON; text recognition with 1 and 32, binary where the server has it, else gRPC, else JSON
  --seconds N           of each load, whole (default: 3, quick 2; slow models take ${SLOW_FACTOR.toFixed(1)} times as long)
  --runs N              rounds in turns, of which the medians are shown (default: 3)
  --quick               ${QUICK_PEERS.join(", ")}; both MLPs, 1 and 32 connections, every protocol: about 5 minutes
  --json FILE           where every figure goes (default: out/bench-server.json)
  --help

All of it takes about 25 minutes. The first time, Debian's wrk and nghttp2-client and about 1 GB of Python packages are installed.`;

class UsageError extends Error {}

const list = <T extends string>(text: string | undefined, name: string, known: readonly T[]): T[] | undefined =>
  text?.split(",").map((part) => {
    const found = known.find((value) => value === part);
    if (found === undefined) throw new UsageError(`--${name}: "${part}" is none of ${known.join(", ")}`);
    return found;
  });

const whole = (text: string, name: string, most: number): number => {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  throw new UsageError(`--${name}: "${text}" is no whole number from 1 to ${most}`);
};

/** Undefined where only help was asked for. Throws a `UsageError` of one line. */
export const parseOptions = (args: readonly string[]): Options | undefined => {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ peers: text, models: text, connections: text, protocols: text, seconds: text, runs: text, json: text },
      ...{ quick: { type: "boolean" }, help: { type: "boolean" } },
    },
  });
  if (values.help) return undefined;
  const quick = values.quick ?? false;
  const connections = values.connections?.split(",").map((part) => whole(part, "connections", 256));
  return {
    peers: ["berth", ...(list(values.peers, "peers", PEER_NAMES) ?? (quick ? QUICK_PEERS : PEER_NAMES))],
    models: list(values.models, "models", MODEL_NAMES) ?? (quick ? ["tiny", "mid"] : MODEL_NAMES),
    connections: connections ?? (quick ? [1, 32] : undefined),
    protocols: list(values.protocols, "protocols", PROTOCOLS) ?? (quick ? PROTOCOLS : undefined),
    seconds: whole(values.seconds ?? (quick ? "2" : "3"), "seconds", 60),
    runs: whole(values.runs ?? "3", "runs", 99),
    quick,
    json: values.json ?? "out/bench-server.json",
  };
};

/** What is measured of a server that speaks `spoken` with a model. */
export const cellsOf = (options: Options, model: ModelName, spoken: readonly Protocol[]): Cell[] => {
  const cross = (protocols: readonly Protocol[], connections: readonly number[]) =>
    protocols.flatMap((protocol) => connections.map((count) => ({ protocol, connections: count })));
  const { protocols, connections } = options;
  const wanted = (): Cell[] => {
    if (protocols !== undefined || connections !== undefined)
      return cross(protocols ?? PROTOCOLS, connections ?? [1, 8, 32]);
    if (model === "minilm") return cross(["json"], [1, 32]);
    if (model === "ocr") {
      const best = (["binary", "grpc", "json"] as const).find((protocol) => spoken.includes(protocol));
      return cross(best === undefined ? [] : [best], [1, 32]);
    }
    return [...cross(["json"], model === "tiny" ? [1, 8, 32] : [1, 32]), ...cross(["binary", "grpc"], [1, 32])];
  };
  return wanted().filter(({ protocol }) => spoken.includes(protocol));
};
