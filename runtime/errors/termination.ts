import { existsSync, writeFileSync } from "node:fs";
import type { FailureCode, TerminationMessage } from "../../contract/pod.ts";

/** Where the kubelet looks for the last words of a container. */
export const TERMINATION_LOG = "/dev/termination-log";

/** A failure with a code that the operator understands; `message` is written for the user. */
export class Failure extends Error {
  readonly code: FailureCode;
  constructor(code: FailureCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The kubelet keeps this many bytes of a termination message; longer JSON would be cut, and so unreadable. */
const MAX_BYTES = 4096;

const encodeTermination = (message: TerminationMessage): string => {
  const whole = JSON.stringify(message);
  if (message.outcome === "fetched" || Buffer.byteLength(whole) <= MAX_BYTES) return whole;
  let text = message.message;
  for (;;) {
    text = text.slice(0, Math.floor(text.length * 0.9));
    const cut = JSON.stringify({ ...message, message: `${text.toWellFormed()}…` });
    if (Buffer.byteLength(cut) <= MAX_BYTES) return cut;
  }
};

/**
 * Leaves the message for the kubelet. A failure that has no code is plain text: the operator shows it as the last words of
 * a crash. Outside of a pod there is no such file, and nothing is written.
 */
export const writeTermination = (path: string, message: TerminationMessage | string): void => {
  if (path.startsWith("/dev/") && !existsSync(path)) return;
  try {
    writeFileSync(path, typeof message === "string" ? message.slice(0, MAX_BYTES / 4) : encodeTermination(message));
  } catch {
    // Nobody reads it where it cannot be written; the same text is in the log.
  }
};
