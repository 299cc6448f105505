/** The API server, as much of it as the router may see: lists and watches of one namespace. */
import { readFile } from "node:fs/promises";
import { Agent, request } from "undici";
import { z } from "zod";

export type ApiServer = {
  /** Rejects with an ApiError. */
  list(path: string, query: Query, signal: AbortSignal): Promise<{ items: unknown[]; resourceVersion: string }>;
  /** Yields events until the server ends it. Throws an ApiError. */
  watch(path: string, query: Query, signal: AbortSignal): AsyncGenerator<WatchEvent>;
  close(): Promise<void>;
};

export type Query = Readonly<Record<string, string>>;
export type WatchEvent = { type: string; object: unknown };

export class ApiError extends Error {
  /** HTTP's; 0 where there was no answer. */
  readonly status: number;
  constructor(message: string, status: number, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

export type ApiServerOptions = {
  /** Such as https://10.96.0.1:443. */
  url: string;
  /** PEM; undefined: the system's. */
  caFile: string | undefined;
  /** Read before each request: the kubelet puts a new one there before the old one ends. */
  tokenFile: string | undefined;
};

const CONNECT_MS = 5000;
/** A list must begin within this, and a watch must open. */
const HEAD_MS = 20_000;
/** Longer than a watch is asked to last: a server that keeps quiet for longer is gone. */
const SILENT_MS = 420_000;
/** One event is one object: the API server takes none of more than 1.5 MB. */
const MOST_LINE = 4 * 1024 ** 2;

const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  items: z.array(z.unknown()),
});
const eventSchema = z.object({ type: z.string(), object: z.unknown() });
const statusSchema = z.object({ code: z.number().optional(), message: z.string().optional() });

export const createApiServer = async ({ caFile, tokenFile, url }: ApiServerOptions): Promise<ApiServer> => {
  const ca = caFile === undefined ? undefined : await readFile(caFile, "utf8");
  const dispatcher = new Agent({
    connect: { timeout: CONNECT_MS, ...(ca === undefined ? {} : { ca }) },
    headersTimeout: HEAD_MS,
    bodyTimeout: SILENT_MS,
  });
  const get = async (path: string, query: Query, signal: AbortSignal) => {
    const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, "utf8")).trim();
    const answer = await request(new URL(`${path}?${new URLSearchParams(query)}`, url), {
      dispatcher,
      signal,
      headers: {
        accept: "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    }).catch((error: unknown) => {
      throw new ApiError(`GET ${path}: ${error instanceof Error ? error.message : String(error)}`, 0, error);
    });
    if (answer.statusCode === 200) return answer.body;
    const text = await answer.body.text().catch(() => "");
    throw new ApiError(`GET ${path}: ${answer.statusCode} ${messageOf(text)}`, answer.statusCode);
  };

  return {
    async list(path, query, signal) {
      const body = await get(path, query, signal);
      const { items, metadata } = listSchema.parse(await body.json());
      return { items, resourceVersion: metadata.resourceVersion };
    },
    async *watch(path, query, signal) {
      const body = await get(path, { ...query, watch: "1" }, signal);
      let rest = "";
      for await (const piece of body.setEncoding("utf8")) {
        rest += piece;
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        if (rest.length > MOST_LINE) throw new ApiError(`GET ${path}: an event of more than ${MOST_LINE} bytes`, 0);
        for (const line of lines) {
          const { object, type } = eventSchema.parse(JSON.parse(line));
          if (type === "ERROR") {
            const { code = 500, message = "no reason given" } = statusSchema.parse(object);
            throw new ApiError(`watch ${path}: ${message}`, code);
          }
          yield { type, object };
        }
      }
    },
    close: () => dispatcher.destroy(),
  };
};

const messageOf = (text: string): string => {
  try {
    return statusSchema.parse(JSON.parse(text)).message ?? "";
  } catch {
    return text.slice(0, 200);
  }
};
