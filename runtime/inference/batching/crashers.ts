import { createHash } from "node:crypto";
import type { InferenceCall } from "../index.ts";

/** So long is a request remembered that ended the model's process, and so many are. */
const REMEMBERED_MS = 600_000;
const MOST = 256;
/** A process that was killed may have been killed by anybody: two such ends are no accident. */
const KILLS = 2;

type Asked = Pick<InferenceCall, "inputs" | "outputs">;
/** `values`: the digest of its inputs. */
type Crash = { values: string; outputs: readonly string[]; bytes: number; at: number; kills: number };

/**
 * The requests whose run, alone, ended the process that runs the model. Each end is an outage for all others until the next
 * process is ready, so the same request is not run again for a while, nor one that asks for more outputs: it runs the same nodes and others.
 */
export type Crashers = {
  /** @param killed whether it was a SIGKILL that ended the process */
  note(request: Asked, now: number, killed: boolean): void;
  /** Whether one is remembered. */
  any(): boolean;
  /** When this request ended a process; undefined where it did not. Costs nothing while nothing is remembered. */
  crashedAt(request: Asked, now: number): number | undefined;
};

export const createCrashers = (): Crashers => {
  /** The longest remembered first. */
  const crashes = new Map<string, Crash>();
  return {
    any: () => crashes.size > 0,
    note(request, now, killed) {
      const values = digestOf(request);
      const outputs = request.outputs.toSorted();
      const key = JSON.stringify([values, outputs]);
      let before = 0;
      for (const crash of crashes.values()) if (crash.values === values) before = Math.max(before, crash.kills);
      crashes.delete(key);
      crashes.set(key, { values, outputs, bytes: bytesOf(request), at: now, kills: killed ? before + 1 : KILLS });
      const [oldest] = crashes.keys();
      if (crashes.size > MOST && oldest !== undefined) crashes.delete(oldest);
    },
    crashedAt(request, now) {
      if (crashes.size === 0) return undefined;
      for (const [key, { at }] of crashes) {
        if (now - at < REMEMBERED_MS) break;
        crashes.delete(key);
      }
      const bytes = bytesOf(request);
      let values: string | undefined;
      for (const crash of crashes.values()) {
        // a digest only for what could be one of them
        if (crash.bytes !== bytes || crash.kills < KILLS) continue;
        values ??= digestOf(request);
        if (crash.values === values && crash.outputs.every((name) => request.outputs.includes(name))) return crash.at;
      }
      return undefined;
    },
  };
};

const bytesOf = ({ inputs }: Asked): number => {
  let bytes = 0;
  for (const tensor of inputs.values()) bytes += tensor.bytes.length;
  return bytes;
};

const digestOf = ({ inputs }: Asked): string => {
  const hash = createHash("sha256");
  for (const name of [...inputs.keys()].sort()) {
    const tensor = inputs.get(name);
    if (tensor === undefined) continue;
    hash.update(JSON.stringify([name, tensor.datatype, tensor.shape]));
    hash.update(tensor.bytes);
  }
  return hash.digest("base64");
};
