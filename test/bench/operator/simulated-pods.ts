/** One server that answers on the admin port of all simulated pods, routers and servers alike: both sets of fields are in each answer. */
import { createServer, type ServerResponse } from "node:http";
import { SIGNALS_PATH } from "../../../contract/pod.ts";
import type { ModelDeployment } from "../../../operator/api/v1alpha1/index.ts";
import { poisson, randomFrom } from "../rollout/chance.ts";

/** Requests a second of each busy one at each router. */
const RATE = 10;
/** What a server says of its runs: 20 requests a second on a pod. */
const SERVER = {
  ...{ shards: { ready: 1 }, batching: { state: "unproved", size: 1 }, serviceTimeMs: { each: 50, perItem: 0 } },
};

export type SimulatedPods = { port: number; close(): void };

/** @param busy of the ModelDeployments, those that get requests */
export const startSimulatedPods = async (
  models: () => readonly ModelDeployment[],
  isBusy: (name: string) => boolean,
): Promise<SimulatedPods> => {
  const started = new Date().toISOString();
  const random = randomFrom(1);
  const streams = new Map<ServerResponse, Map<string, number>>();

  const line = (arrived: Map<string, number>): string => {
    const busy = models().flatMap(({ metadata: { name }, status }) => {
      const revision = status?.stable?.revision;
      if (revision === undefined || !isBusy(name)) return [];
      const more = poisson(RATE, random);
      const all = (arrived.get(name) ?? 0) + more;
      arrived.set(name, all);
      return [[name, { [revision]: { arrived: all, crowd: Math.min(more, 3), waiting: 0, inFlight: 1 } }] as const];
    });
    return `${JSON.stringify({ started, models: Object.fromEntries(busy) })}\n`;
  };
  const status = (): object => ({
    ...{ started, ...SERVER },
    models: Object.fromEntries(
      models().flatMap(({ metadata: { name }, status: { traffic } = { observedGeneration: 0 } }) =>
        traffic === undefined ? [] : [[name, { epoch: traffic.epoch, port: traffic.port }] as const],
      ),
    ),
  });
  const server = createServer((request, response) => {
    if (request.url === SIGNALS_PATH) {
      response.writeHead(200, { "content-type": "application/x-ndjson" });
      streams.set(response, new Map());
      response.on("close", () => streams.delete(response));
      response.write(line(new Map()));
      return;
    }
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(status()));
  });
  const timer = setInterval(() => {
    for (const [response, arrived] of streams) response.write(line(arrived));
  }, 1000);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    close: () => {
      clearInterval(timer);
      server.close();
      server.closeAllConnections();
    },
  };
};
