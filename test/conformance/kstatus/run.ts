/** What Flux and Argo CD make of a ModelDeployment in each of its states: kstatus's own code, and the health script that docs ship. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { cacheFolder } from "../cache.ts";
import type { CheckResult } from "../results.ts";
import { states } from "./states.ts";

const HEALTH = join(import.meta.dirname, "../../../docs/argocd/health.lua");
const BUILD_MS = 300_000;

const answers = z.array(z.object({ kstatus: z.string(), health: z.string(), message: z.string() }));

/** The path of the program; named after the versions in it, so that another is built when they change. */
const ensureProgram = async (report: (line: string) => void): Promise<string> => {
  const program = join(cacheFolder(), "kstatus-0.37.2");
  if (existsSync(program)) return program;
  report("building kstatus and a Lua interpreter with Go into the cache (once)");
  try {
    await promisify(execFile)("go", ["build", "-o", program, "."], { cwd: import.meta.dirname, timeout: BUILD_MS });
  } catch (error) {
    throw new Error("kstatus cannot be built: Go and its module proxy are needed", { cause: error });
  }
  return program;
};

const ask = (program: string, input: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, [HEALTH], { stdio: ["pipe", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve(output) : reject(new Error(`kstatus ended with ${code}`))));
    child.stdin.end(input);
  });

export const runKstatus = async (report: (line: string) => void): Promise<CheckResult[]> => {
  const program = await ensureProgram(report);
  const all = await states();
  const told = answers.parse(JSON.parse(await ask(program, JSON.stringify(all.map(({ object }) => object)))));
  return all.map(({ title, object, kstatus, health }, i) => {
    const got = told[i];
    const ok = got?.kstatus === kstatus && got.health === health;
    const wanted = ok ? "" : `, wanted ${kstatus} and ${health}; its status: ${JSON.stringify(object.status)}`;
    return { suite: "kstatus", name: title, ok, detail: `kstatus ${got?.kstatus}, Argo CD ${got?.health}${wanted}` };
  });
};
