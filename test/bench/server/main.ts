/** `npm run bench -- server`: this server, others, and onnxruntime alone, measured in turns on one machine. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dialect, PROTOCOLS, type Protocol } from "./dialects.ts";
import { ensureLoadGenerators, pinnedVersions } from "./install.ts";
import { load } from "./load.ts";
import { type Model, type ModelName, makeModel } from "./models.ts";
import { type Cell, cellsOf, HELP, type Options, parseOptions, SLOW_FACTOR } from "./options.ts";
import { PEER_LIST, type Peer } from "./peers.ts";
import { cpuSeconds, memoryBytes, preciseCpuSeconds } from "./process-tree.ts";
import { measureRaw, type Setup } from "./raw.ts";
import { markdown } from "./report.ts";
import { goalsOf, type ModelResults, type RawRow, type Row, type Sample, type ServerFacts } from "./results.ts";
import { type Running, start, verify } from "./running.ts";

const IDLE_SECONDS = 3;
const SETTLE = 1_000; // ms between the last request and idleness
const QUIET_STEP = 80; // ms
const QUIET_SHARE = 0.3; // of a core; LitServe uses 0.2 when it has nothing to do
const QUIET_TIMEOUT = 4_000; // ms
/** Some 100,000 requests, after which the engines that compile at run time have compiled all of the way. */
const WARM_UP_SECONDS = 4;
const RAW_SECONDS = 1.5;

type Installed = { peer: Peer; path: string };
type Contender = { running: Running; dialects: Map<Protocol, Dialect>; cells: Cell[] };
type Report = (line: string) => void;

const clock = (): string => new Date().toISOString().slice(11, 19);
const say: Report = (line) => console.log(`${clock()} ${line}`);
const wordOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The batch is what a server could at best make of 32 connections; text recognition gains nothing by it. */
const setupsOf = ({ slow }: Model): Setup[] => [
  { processes: 2, threads: 1, batch: 1 },
  { processes: 1, threads: 2, batch: 1 },
  { processes: 2, threads: 1, batch: slow ? 8 : 16 },
];

/**
 * Waits for the work that the load left behind: Triton does not come back from a pause in the middle of a request
 * (its parts share locks in memory that time out).
 */
const untilQuiet = async (pid: number): Promise<void> => {
  const end = performance.now() + QUIET_TIMEOUT;
  for (let before = preciseCpuSeconds(pid); performance.now() < end; ) {
    await sleep(QUIET_STEP);
    const now = preciseCpuSeconds(pid);
    if (now - before < (QUIET_SHARE * QUIET_STEP) / 1000) return;
    before = now;
  }
};

const measure = async (
  { running, dialects }: Contender,
  cell: Cell,
  seconds: number,
  folder: string,
): Promise<Sample> => {
  const dialect = dialects.get(cell.protocol);
  if (dialect === undefined) throw new Error(`${running.peer.name} does not speak ${cell.protocol}`);
  running.resume();
  try {
    const before = cpuSeconds(running.pid);
    const told = await load(running.ports, dialect, cell.connections, seconds, folder);
    const cpu = cpuSeconds(running.pid) - before;
    return { ...told, cpu, memory: memoryBytes(running.pid) };
  } finally {
    await untilQuiet(running.pid);
    running.pause();
  }
};

/** Starts every server with the model, checks every protocol, and pauses it. What fails is left out, with a note. */
const contendersOf = async (
  model: Model,
  options: Options,
  peers: readonly Installed[],
  folder: string,
  note: Report,
) => {
  const contenders: Contender[] = [];
  for (const { peer, path } of peers) {
    try {
      const running = await start(peer, model, path, folder);
      const dialects = new Map<Protocol, Dialect>();
      for (const protocol of PROTOCOLS) {
        const dialect = peer.dialects[protocol]?.(model);
        if (dialect === undefined) continue;
        const wrong = await verify(dialect, running.ports, model);
        if (wrong === undefined) dialects.set(protocol, dialect);
        else note(`${peer.title} is left out with ${model.title} in ${protocol}: ${wrong}`);
      }
      say(
        `${model.name}: ${peer.title} answers right after ${(running.coldStart / 1000).toFixed(2)} s (${[...dialects.keys()].join(", ")})`,
      );
      contenders.push({ running, dialects, cells: cellsOf(options, model.name, [...dialects.keys()]) });
      running.pause();
    } catch (error) {
      note(`${peer.title} is left out with ${model.title}: ${wordOf(error)}`);
    }
  }
  return contenders;
};

const idleOf = async ({ running }: Contender): Promise<number> => {
  running.resume();
  await sleep(SETTLE);
  const before = preciseCpuSeconds(running.pid);
  await sleep(IDLE_SECONDS * 1000);
  const used = preciseCpuSeconds(running.pid) - before;
  running.pause();
  return used / IDLE_SECONDS;
};

const sameCell = (one: Cell, other: Cell) => one.protocol === other.protocol && one.connections === other.connections;

const benchModel = async (
  name: ModelName,
  options: Options,
  peers: readonly Installed[],
  isFirst: boolean,
  folder: string,
  note: Report,
): Promise<ModelResults> => {
  const model = await makeModel(name, folder);
  const contenders = await contendersOf(model, options, peers, folder, note);
  try {
    const rows: Row[] = [];
    const raw: RawRow[] = options.peers.includes("raw") ? setupsOf(model).map((setup) => ({ setup, samples: [] })) : [];
    const cells = contenders
      .flatMap((contender) => contender.cells)
      .filter((cell, at, all) => all.findIndex((other) => sameCell(cell, other)) === at);
    const seconds = Math.round(options.seconds * (model.slow ? SLOW_FACTOR : 1));
    for (const contender of contenders) {
      for (const protocol of new Set(contender.cells.map((cell) => cell.protocol))) {
        await measure(contender, { protocol, connections: 8 }, WARM_UP_SECONDS, folder);
      }
    }
    for (let run = 1; run <= options.runs; run++) {
      for (const row of raw) row.samples.push(await measureRaw(model, row.setup, RAW_SECONDS));
      // Each run begins with another server, so that none always follows the same one.
      const turn = contenders.length === 0 ? 0 : (run - 1) % contenders.length;
      const order = [...contenders.slice(turn), ...contenders.slice(0, turn)];
      for (const cell of cells) {
        const told: string[] = [];
        for (const contender of order) {
          if (!contender.cells.some((own) => sameCell(own, cell))) continue;
          const { name: peer } = contender.running.peer;
          try {
            const sample = await measure(contender, cell, seconds, folder);
            if (sample.answers === 0) throw new Error("not one answer");
            let row = rows.find((each) => each.peer === peer && sameCell(each, cell));
            if (row === undefined) {
              row = { peer, ...cell, samples: [] };
              rows.push(row);
            }
            row.samples.push(sample);
            told.push(
              `${peer} ${(sample.answers / sample.seconds).toFixed(0)}/s ${((sample.cpu / sample.answers) * 1000).toPrecision(3)}`,
            );
          } catch (error) {
            note(
              `${peer}, ${model.title}, ${cell.protocol}, ${cell.connections} connections, run ${run}: ${wordOf(error)}`,
            );
          }
        }
        say(
          `${name} ${run}/${options.runs} ${cell.protocol} × ${cell.connections}: ${told.join(", ")} (CPU s per 1,000)`,
        );
      }
    }
    const servers: ServerFacts[] = [];
    for (const contender of contenders) {
      const { running } = contender;
      const facts = { peer: running.peer.name, coldStarts: [running.coldStart] };
      servers.push(isFirst ? { ...facts, idle: await idleOf(contender) } : facts);
    }
    rows.sort(
      (one, other) =>
        PROTOCOLS.indexOf(one.protocol) - PROTOCOLS.indexOf(other.protocol) || one.connections - other.connections,
    );
    return { model: name, title: model.title, rows, raw, servers };
  } finally {
    await Promise.all(contenders.map(({ running }) => running.stop()));
  }
};

/** Cold starts again, with nothing else running: the one before counts as the first run. */
const restart = async (
  results: ModelResults,
  options: Options,
  peers: readonly Installed[],
  folder: string,
  note: Report,
) => {
  const model = await makeModel(results.model, folder);
  for (let run = 2; run <= options.runs; run++) {
    for (const facts of results.servers) {
      const found = peers.find(({ peer }) => peer.name === facts.peer);
      if (found === undefined) continue;
      try {
        const running = await start(found.peer, model, found.path, folder);
        facts.coldStarts.push(running.coldStart);
        await running.stop();
      } catch (error) {
        note(`${found.peer.title}, cold start ${run}: ${wordOf(error)}`);
      }
    }
  }
};

const install = async (options: Options, note: Report): Promise<Installed[]> => {
  await ensureLoadGenerators(say);
  const installed: Installed[] = [];
  for (const peer of PEER_LIST) {
    if (!options.peers.includes(peer.name)) continue;
    try {
      installed.push({ peer, path: await peer.install(say) });
    } catch (error) {
      note(`${peer.title} is left out: ${wordOf(error)}`);
    }
  }
  return installed;
};

const titleOf = (name: string): string => PEER_LIST.find((peer) => peer.name === name)?.title ?? name;

export const benchServer = async (args: readonly string[]): Promise<number> => {
  const options = parseOptions(args);
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  process.env.ORT_DISABLE_TELEMETRY = "1";
  const notes: string[] = [];
  const note: Report = (line) => {
    notes.push(line.split("\n")[0] ?? line);
    say(`NOTE ${line}`);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  const folder = mkdtempSync(join(tmpdir(), "berth-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  const started = performance.now();
  const peers = await install(options, note);
  const versions = Object.fromEntries(
    peers.flatMap(({ peer }) => {
      if (peer.distribution === undefined) return [];
      const pinned = pinnedVersions(`peers/${peer.name}`);
      return [[peer.name, `${pinned[peer.distribution]}, onnxruntime ${pinned.onnxruntime}`]];
    }),
  );
  const machine = {
    processor: `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
    ...{ memoryBytes: totalmem(), kernel: release(), node: process.version, date: new Date().toISOString() },
    ...{ command: ["npm run bench -- server", ...args].join(" "), versions },
  };
  const results: ModelResults[] = [];
  const save = () => {
    mkdirSync(dirname(options.json), { recursive: true });
    writeFileSync(
      options.json,
      `${JSON.stringify({ machine, goals: goalsOf(results), notes, results }, undefined, 1)}\n`,
    );
  };
  for (const [at, name] of options.models.entries()) {
    const measured = await benchModel(name, options, peers, at === 0, folder, note);
    if (at === 0) await restart(measured, options, peers, folder, note);
    results.push(measured);
    save(); // what was measured is kept, whatever comes
  }
  console.log(`\n${markdown(results, goalsOf(results), notes, titleOf)}`);
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  console.log(
    `\n\`${machine.command}\`, ${machine.date.slice(0, 10)}, ${minutes} minutes, ${machine.processor}, Node ${machine.node};`,
  );
  console.log(
    Object.entries(versions)
      .map(([name, version]) => `${titleOf(name)} ${version}`)
      .join("; "),
  );
  console.log(`all figures: ${options.json}`);
  const measured = results.every(({ rows }) => rows.some(({ peer }) => peer === "berth"));
  return measured ? 0 : 1;
};
