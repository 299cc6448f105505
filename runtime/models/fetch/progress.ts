/** Tells whoever asks how far the fetch is: the operator, for the status of the ModelDeployment. */
import { createServer } from "node:http";
import { type FetchProgress, PROGRESS_PATH } from "../../../contract/pod.ts";

export type ProgressServer = { observe(progress: FetchProgress): void; close(): void };

/** A port that is taken is no reason to fetch no model: `onError` is told, and nothing is answered. */
export const serveProgress = (port: number, onError: (error: Error) => void): ProgressServer => {
  let latest: FetchProgress = { bytes: 0, seconds: 0 };
  const server = createServer({ headersTimeout: 5000, requestTimeout: 5000 }, (request, response) => {
    const isKnown = request.url === PROGRESS_PATH && request.method === "GET";
    response.writeHead(isKnown ? 200 : 404, { "content-type": isKnown ? "application/json" : "text/plain" });
    response.end(isKnown ? JSON.stringify(latest) : `there is GET ${PROGRESS_PATH}\n`);
  });
  server.maxConnections = 16;
  server.once("error", onError);
  server.listen(port);
  return {
    observe: (progress) => {
      latest = progress;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
};
