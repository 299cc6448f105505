/** The API server, as the operator reaches it: one set of connections for the work, one for the lease. */
import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { WATCHED_ANNOTATION } from "./neighbours.ts";
import type { Client } from "./platform/kube/client.ts";
import { createClient } from "./platform/kube/create-client.ts";
import { readKubeConfig } from "./platform/kube/kubeconfig.ts";
import { createRateLimit } from "./platform/kube/rate-limit.ts";
import { createServerClock, SKEW_MS } from "./platform/kube/server-clock.ts";
import { createTransport, type Transport } from "./platform/kube/transport.ts";
import { createLeaderElection, type LeaderElection } from "./platform/manager/leader-election.ts";
import { type Metrics, requestObserver } from "./platform/telemetry/metrics.ts";

export type ApiServer = {
  /** Its time, in milliseconds since 1970. */
  clock: () => number;
  election: LeaderElection;
  /** For the work; it writes only while we lead. */
  transport: Transport;
  client: Client;
  /** For the lists that watches begin with. */
  lister: Client;
  /** Ends the connections. */
  disconnect(): Promise<void>;
};

export const reachApiServer = (config: Config, log: Logger, metrics: Metrics): ApiServer => {
  const credentials = readKubeConfig(config.kubeconfig);
  const observe = requestObserver(metrics);
  const { heard, now: clock } = createServerClock({ onSkew: (aheadMs) => tellSkew(log, aheadMs) });
  const electionTransport = createTransport(credentials, { observe, heard });
  const election = electionOver(electionTransport, config, clock, log);
  const transport = createTransport(credentials, { observe, heard, mayWrite: election.isLeader });
  const limit = createRateLimit(config.apiRate);
  return {
    clock,
    election,
    transport,
    client: createClient(transport, { limit }),
    lister: createClient(transport, { limit, purpose: "watch" }),
    disconnect: async () => void (await Promise.all([transport.close(), electionTransport.close()])),
  };
};

const electionOver = (transport: Transport, config: Config, clock: () => number, log: Logger): LeaderElection =>
  createLeaderElection({
    // A renewal that takes half of its deadline has failed: there is time for another, and none to wait inside of one.
    client: createClient(transport, { timeoutMs: config.electionTimes.renewDeadlineMs / 2, tries: 1 }),
    namespace: config.namespace,
    name: config.leaseName,
    identity: config.identity,
    times: config.electionTimes,
    annotations: { [WATCHED_ANNOTATION]: config.watchNamespaces.join(",") },
    clock,
    log,
  });

const tellSkew = (log: Logger, aheadMs: number): void => {
  const aheadSeconds = Math.round(aheadMs / 1000);
  if (Math.abs(aheadMs) < SKEW_MS) log.info("this node's clock agrees with the API server's again");
  else
    log.warn(
      { aheadSeconds },
      "this node's clock differs from the API server's; the operator uses the API server's time",
    );
};
