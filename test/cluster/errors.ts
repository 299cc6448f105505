/** Something that the person at the command line can act on; its message says how. */
export class ClusterError extends Error {
  override name = "ClusterError";
}

/** A program ended with an error. `stderr` is what it said. */
export class CommandFailed extends Error {
  override name = "CommandFailed";
  readonly command: readonly string[];
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;

  constructor(command: readonly string[], code: number | null, stdout: string, stderr: string) {
    const said = (stderr.trim() || stdout.trim()).slice(-2000);
    super(`${command.join(" ")}: ${code === null ? "ended by a signal" : `exit ${code}`}${said ? `: ${said}` : ""}`);
    this.command = command;
    this.code = code;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}
