import { spawn } from "node:child_process";
import { ClusterError, CommandFailed } from "./errors.ts";

export type Output = { stdout: string; stderr: string };

export type RunOptions = {
  /** Sent to the program's standard input. */
  input?: string;
  /** Added to this process's environment. */
  env?: Record<string, string>;
  cwd?: string;
  /** Ends the program, with SIGTERM. */
  signal?: AbortSignal;
  /** Let the program read and write this process's terminal; the output is then empty. */
  inherit?: boolean;
};

/** Runs a program to its end. Rejects with `CommandFailed` unless it exits 0, and with `ClusterError` if it is missing. */
export const run = (command: readonly string[], options: RunOptions = {}): Promise<Output> =>
  new Promise((resolve, reject) => {
    const [file = "", ...args] = command;
    const stdio = options.inherit ? "inherit" : "pipe";
    const child = spawn(file, args, {
      stdio: [options.input === undefined ? (options.inherit ? "inherit" : "ignore") : "pipe", stdio, stdio],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const output = { stdout: "", stderr: "" };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output.stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      output.stderr += text;
    });
    // A program that ends before it has read its input is judged by its exit code.
    child.stdin?.on("error", () => {}).end(options.input);
    child.on("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "ENOENT"
          ? new ClusterError(`${file} is not installed, or the folder ${options.cwd ?? process.cwd()} does not exist`)
          : error,
      );
    });
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new CommandFailed(command, code, output.stdout, output.stderr));
    });
  });

/** Whether the program exits 0; its output is dropped. */
export const succeeds = (command: readonly string[], options: RunOptions = {}): Promise<boolean> =>
  run(command, options).then(
    () => true,
    (error: unknown) => {
      if (error instanceof CommandFailed) return false;
      throw error;
    },
  );
