import { fork } from "node:child_process";
import { type ShardMessage, type StartMessage, type SupervisorMessage, shardMessageSchema } from "./messages.ts";

export type ShardEvents = {
  message(message: ShardMessage): void;
  /** The process is gone; `how` says it in words, `signal` is what ended it if that was no exit of its own. */
  exit(how: string, signal: string | null): void;
  /** The event loop did not turn for this long: a run that does not end. */
  hung(ms: number): void;
};

export type ShardProcess = { send(message: SupervisorMessage): void; kill(): void; watch(timeoutMs: number): void };

/** Starts a shard. `watch` (again at each change of the time-out) reports once, when a ping stays unanswered for that long. */
export const startShard = (start: StartMessage, events: ShardEvents): ShardProcess => {
  const child = fork(new URL("./shard.ts", import.meta.url), {
    env: { ...process.env, ORT_DISABLE_TELEMETRY: "1" },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  let pings: NodeJS.Timeout | undefined;
  let unanswered: number | undefined;
  let gone = false;
  const end = (how: string, signal: string | null): void => {
    if (gone) return;
    gone = true;
    clearInterval(pings);
    events.exit(how, signal);
  };
  const send = (message: SupervisorMessage): void => {
    if (child.connected) child.send(message, () => undefined);
  };
  child.on("message", (raw) => {
    const message = shardMessageSchema.parse(raw);
    if (message.type === "pong") unanswered = undefined;
    else events.message(message);
  });
  child.on("exit", (code, signal) =>
    end(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`, signal),
  );
  child.on("error", (error) => end(`it could not be started: ${error.message}`, null));
  send(start);
  return {
    send,
    kill: () => child.kill("SIGKILL"),
    watch(timeoutMs) {
      clearInterval(pings);
      unanswered = undefined;
      const check = (): void => {
        const now = performance.now();
        if (unanswered === undefined) {
          unanswered = now;
          send({ type: "ping" });
        } else if (now - unanswered >= timeoutMs) {
          clearInterval(pings);
          events.hung(timeoutMs);
        }
      };
      check();
      pings = setInterval(check, Math.min(1000, Math.max(20, timeoutMs / 10)));
    },
  };
};
