/** The processes of a dev cluster's pods are this machine's: a test can freeze or kill one. */
import { readdirSync, readFileSync } from "node:fs";

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it ended between the listing and now
  }
};

/** The pid of the pod's process whose command line has these words. Throws unless there is exactly one. */
export const processOf = (podUid: string, words: string): number => {
  const uid = new RegExp(podUid.replaceAll("-", "[-_]"));
  const found = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => uid.test(read(`/proc/${pid}/cgroup`)))
    .filter((pid) => read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").includes(words));
  const [pid] = found;
  if (pid === undefined || found.length > 1) throw new Error(`pod ${podUid} has ${found.length} processes "${words}"`);
  return Number(pid);
};
