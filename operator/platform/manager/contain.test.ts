import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { promisify } from "node:util";
import pino from "pino";
import { keepRunning } from "./contain.ts";

const log = pino({ level: "silent" });

test("work that ends with an error is begun again, until the signal", async () => {
  const stop = new AbortController();
  let runs = 0;
  const run = async (signal: AbortSignal): Promise<void> => {
    runs++;
    if (runs < 3) throw new TypeError("a fault");
    setImmediate(() => stop.abort());
    if (!signal.aborted) await once(signal, "abort");
  };
  await keepRunning({ run }, log, stop.signal, 0);
  assert.equal(runs, 3);

  const faulty = async (): Promise<void> => {
    runs++;
    stop.abort();
    throw new TypeError("a fault");
  };
  await keepRunning({ run: faulty }, log, stop.signal, 0);
  assert.equal(runs, 3);
});

test("a rejection that nobody waits for is logged, and the process goes on", async () => {
  const program = `
    import pino from "pino";
    import { containRejections } from ${JSON.stringify(new URL("./contain.ts", import.meta.url).href)};
    containRejections(process, pino(pino.destination({ sync: true })));
    void Promise.reject(new TypeError("of one tenant"));
    setTimeout(() => console.log("goes on"), 1);
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: new URL("./", import.meta.url),
  });
  assert.match(stdout, /of one tenant.*goes on/s);
});
