import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "../world/patience.ts";
import { ClusterError } from "./errors.ts";

/**
 * Processes that outlive the command that started them. Each has a file "PID START", where START is its start
 * time in clock ticks since boot: after a crash or a reboot the pid may be another program's, which must not be ended.
 */
export type PidFile = { pid: number; start: string };

export const parsePidFile = (text: string): PidFile | undefined => {
  const match = /^(\d+) (\d+)\s*$/.exec(text);
  return match?.[1] && match[2] ? { pid: Number(match[1]), start: match[2] } : undefined;
};

/**
 * Start time from the text of /proc/PID/stat (proc_pid_stat(5), field 22), or undefined for a zombie.
 * The name in the second field may hold spaces and brackets, so the fields count from its last bracket.
 */
export const startTime = (stat: string): string | undefined => {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
};

const readText = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined; // gone, which is an answer for a pid file and for /proc alike
  }
};

const startOf = (pid: number): string | undefined => {
  const stat = readText(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : startTime(stat);
};

/** The pid in the file, if that very process still runs. */
export const alive = (file: string): number | undefined => {
  const recorded = parsePidFile(readText(file) ?? "");
  return recorded && startOf(recorded.pid) === recorded.start ? recorded.pid : undefined;
};

const record = (pid: number, file: string): void => {
  const start = startOf(pid);
  if (start !== undefined) writeFileSync(file, `${pid} ${start}\n`);
};

const childOf = (pid: number): number | undefined => {
  const first = readText(`/proc/${pid}/task/${pid}/children`)?.split(" ")[0];
  return first ? Number(first) : undefined;
};

export type Daemon = {
  command: readonly string[];
  pidFile: string;
  /** Appended to, with what it says on either stream. */
  log: string;
  /** Gets only standard output, in place of the log, and is emptied first. */
  stdout?: string;
  /** The command is a wrapper (nsenter, unshare) whose only child is the process to keep track of. */
  wrapped: boolean;
};

/** Starts a process in a session of its own and records it. */
export const start = async ({ command, pidFile, log, stdout, wrapped }: Daemon): Promise<void> => {
  const [file = "", ...args] = command;
  const logged = openSync(log, "a");
  const printed = stdout === undefined ? logged : openSync(stdout, "w");
  const child = spawn(file, args, { detached: true, stdio: ["ignore", printed, logged] });
  child.unref();
  closeSync(logged);
  if (printed !== logged) closeSync(printed);
  const pid = child.pid;
  if (pid === undefined) {
    const [error] = await new Promise<[Error]>((resolve) => child.once("error", (e) => resolve([e])));
    throw new ClusterError(`cannot start ${file}: ${error.message}`);
  }
  if (!wrapped) return record(pid, pidFile);
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; ) {
    const inner = childOf(pid);
    if (inner !== undefined) return record(inner, pidFile);
    if (child.exitCode !== null || child.signalCode !== null) break;
    await sleep(5);
  }
  throw new ClusterError(`${command.join(" ")} did not start: ${tail(log, 5) || `see ${log}`}`);
};

/** Kills with SIGKILL and waits until the process is gone. Does nothing if it has ended already. */
export const end = async (pidFile: string): Promise<void> => {
  const pid = alive(pidFile);
  if (pid !== undefined) await endProcess(pid);
};

export const endProcess = async (pid: number): Promise<void> => {
  const born = startOf(pid);
  if (born === undefined) return;
  process.kill(pid, "SIGKILL");
  for (const deadline = Date.now() + PATIENCE_MS; startOf(pid) === born; await sleep(10)) {
    if (Date.now() > deadline)
      throw new ClusterError(`process ${pid} does not end ${PATIENCE_MS / 1000} s after SIGKILL`);
  }
};

/** The last lines of a log, or nothing if there is none. */
export const tail = (log: string, lines: number): string =>
  existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n").slice(-lines).join("\n") : "";
