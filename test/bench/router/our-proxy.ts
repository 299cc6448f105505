/** The shipped router without a cluster, in front of two backends. Arguments: its port, stable's, the canary's, percent shadowed. */
import { tuneForBodies } from "../../../runtime/memory/external-memory.ts";
import { createKeptBytes } from "../../../runtime/router/kept-bytes.ts";
import { createModelRouter } from "../../../runtime/router/model-router.ts";
import { TIMES } from "../../../runtime/transport/http/times.ts";

tuneForBodies();
const [port = 0, stable = 0, canary = 0, shadow = 0] = process.argv.slice(2).map(Number);
const router = createModelRouter(
  "digits",
  { maxRequests: 1000, maxWaitMs: 60_000, requestTimeoutMs: 30_000, tolerances: new Map() },
  {
    kept: createKeptBytes(256 * 1024 ** 2),
    times: TIMES,
    ...{ cap: 256, maxHeldBytes: 256 * 1024 ** 2, maxConnectionAgeMs: 3_600_000, maxConnections: 4096 },
    now: () => performance.now(),
    random: Math.random,
    closing: () => false,
    report: (error) => console.error(error),
  },
  () => undefined,
);
router.offer({
  epoch: 1,
  routes: [
    { revision: "digits-a", role: "stable", weight: 90 },
    { revision: "digits-b", role: "canary", weight: 10, shadow },
  ],
});
const pod = (name: string, httpPort: number) => ({
  ...{ name, host: "127.0.0.1", httpPort, grpcPort: 1, isReady: true, isTerminating: false },
});
router.fleet.setPods("digits-a", [pod("a", stable)]);
router.fleet.setPods("digits-b", [pod("b", canary)]);
await router.listener.listen(port, "127.0.0.1");
