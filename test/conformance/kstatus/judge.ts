/** kstatus's own code and Argo CD's Lua, as a program that Go builds once into the cache. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { cacheFolder } from "../cache.ts";

const HEALTH = join(import.meta.dirname, "../../../docs/argocd/health.lua");
const BUILD_MS = 300_000;

const verdicts = z.array(z.object({ kstatus: z.string(), health: z.string(), message: z.string() }));

/** `kstatus` is one of its words, such as Current; `health` and `message` are what the health script that docs ship returns. */
export type Verdict = z.infer<typeof verdicts>[number];

/** One verdict for each object, in their order. */
export const judge = async (objects: readonly object[], report: (line: string) => void): Promise<Verdict[]> =>
  verdicts.parse(JSON.parse(await ask(await ensureProgram(report), JSON.stringify(objects))));

/** The path of the program; named after the version in it and our own, so that another is built when they change. */
const ensureProgram = async (report: (line: string) => void): Promise<string> => {
  const program = join(cacheFolder(), "kstatus-0.37.2-1");
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
