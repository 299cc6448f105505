/** A server of files on loopback that answers byte by byte what a test says, and a fetch from it that waits for nothing. */
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { pino } from "pino";
import { type HttpsOptions, httpsSource, TIMEOUTS } from "../../runtime/models/fetch/https.ts";
import { type Fetched, fetchModel } from "../../runtime/models/fetch/index.ts";
import type { Expected } from "../../runtime/models/fetch/verify.ts";

/** `fields`: of the request, in lower case. */
export type Asked = { path: string; fields: ReadonlyMap<string, string> };

export type Script = (asked: Asked, socket: Socket, count: number) => void;

export const head = (status: number, fields: Record<string, string | number> = {}): string =>
  [`HTTP/1.1 ${status} Status`, ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`), "", ""].join(
    "\r\n",
  );

/** The base URL, and the requests that have come. */
export const scriptedStore = async (t: TestContext, script: Script): Promise<{ url: string; asked: Asked[] }> => {
  const asked: Asked[] = [];
  const server = createServer((socket) => {
    let text = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (piece: Buffer) => {
      text += piece.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      const [line = "", ...lines] = text.slice(0, end).split("\r\n");
      text = text.slice(end + 4);
      const fields = lines.map((one): [string, string] => {
        const colon = one.indexOf(":");
        return [one.slice(0, colon).toLowerCase(), one.slice(colon + 1).trim()];
      });
      const request = { path: line.split(" ")[1] ?? "", fields: new Map(fields) };
      asked.push(request);
      script(request, socket, asked.length);
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => server.close());
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`, asked };
};

/** `observe`: is told how many bytes are written. */
type Fetching = Partial<Expected> & Partial<HttpsOptions> & { room?: number; observe?: (bytes: number) => void };

/** `waits`: how long it would have waited between its attempts, in milliseconds. */
export const fetchFrom = async (
  uri: string,
  { observe, pin, room, sha256, ...options }: Fetching = {},
): Promise<{ fetched: Fetched; bytes: Buffer; waits: number[] }> => {
  const to = join(mkdtempSync(join(tmpdir(), "fetch-")), "model.onnx");
  const waits: number[] = [];
  const source = httpsSource(new URL(uri), {
    ...{ allowHttp: true, ca: undefined, authorization: undefined, policy: () => true, proxy: undefined },
    ...{ timeouts: TIMEOUTS, ...options },
  });
  const timing = {
    now: () => 0,
    random: () => 1,
    sleep: async (ms: number) => {
      waits.push(ms);
    },
  };
  const request = { source, to, expected: { sha256, pin }, diskLimitBytes: room };
  try {
    const fetched = await fetchModel(request, pino({ level: "silent" }), timing, ({ bytes }) => observe?.(bytes));
    return { fetched, bytes: readFileSync(to), waits };
  } catch (error) {
    if (error instanceof Error) Object.assign(error, { waits });
    throw error;
  }
};
