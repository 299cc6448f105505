import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import type { Server } from "../../runtime/server.ts";

/** Words that an answer to a stranger must not have: paths, stacks, the environment, the library's sources. */
const LEAK =
  /\/(?:root|home|tmp|var|usr|work|proc)\/|node_modules|\bat \w+ \(|\.ts:\d+|onnxruntime_src|PATH=|process\.env/;

/** An answer to a faulty request names the fault and gives nothing away. */
export const assertTells = (answer: string, fault: RegExp): void => {
  assert.match(answer, fault);
  assert.doesNotMatch(answer, LEAK, "an answer must not leak paths, stacks or the environment");
};

export const post = (
  server: Server,
  body: string | Uint8Array,
  options: { agent?: Agent; headers?: Record<string, string>; path?: string; restAfterMs?: number } = {},
) =>
  new Promise<{ status: number; text: string }>((resolve, reject) => {
    const sent = request(
      server.url(options.path ?? "/v2/models/m/infer"),
      {
        method: "POST",
        headers: { "content-length": Buffer.byteLength(body), ...options.headers },
        ...(options.agent === undefined ? {} : { agent: options.agent }),
      },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk: string) => {
          text += chunk;
        });
        answer.once("error", reject);
        answer.once("end", () => resolve({ status: answer.statusCode ?? 0, text }));
      },
    );
    sent.once("error", reject);
    if (options.restAfterMs === undefined) sent.end(body);
    else {
      sent.write(body.slice(0, 10));
      setTimeout(() => sent.end(body.slice(10)), options.restAfterMs);
    }
  });

/**
 * Asks again and again while others do harm. `stop` tells what went wrong; the faults of others must never be its own.
 * @param ask one request: undefined where it went well, else what went wrong
 */
export const callsOf = (ask: () => Promise<string | undefined>) => {
  const failures: string[] = [];
  let answered = 0;
  let slowestMs = 0;
  let going = true;
  const run = async (): Promise<void> => {
    while (going && failures.length < 10) {
      const asked = performance.now();
      const failure = await ask().catch(String);
      if (failure === undefined) answered++;
      else failures.push(failure);
      slowestMs = Math.max(slowestMs, performance.now() - asked);
    }
  };
  const running = run();
  return {
    answered: () => answered,
    slowestMs: () => slowestMs,
    async stop() {
      going = false;
      await running;
      return failures;
    },
  };
};

/** A bystander over HTTP, on one connection of its own. */
export const bystander = (server: Server, body: string) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const calls = callsOf(async () => {
    const { status, text } = await post(server, body, { agent });
    return status === 200 ? undefined : `${status} ${text}`;
  });
  return {
    ...calls,
    async stop() {
      const failures = await calls.stop();
      agent.destroy();
      return failures;
    },
  };
};
