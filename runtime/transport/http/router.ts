import { jsonError } from "./response.ts";
import type { Handle, HttpResponse, Routes } from "./types.ts";

export type Router = {
  /** What answers such a request: a handler, or the answer that there is none. */
  find(method: string, path: string): Handle | HttpResponse;
};

/** Throws where two protocols claim the same path. */
export const createRouter = (routes: readonly Routes[]): Router => {
  const paths = new Map<string, Partial<Record<"GET" | "POST", Handle>>>();
  for (const { paths: some } of routes) {
    for (const [path, handlers] of some) {
      if (paths.has(path)) throw new Error(`two protocols claim the path ${path}`);
      paths.set(path, handlers);
    }
  }
  const notFound = (path: string): HttpResponse => {
    for (const { explain } of routes) {
      const why = explain(path);
      if (why !== undefined) return jsonError(404, why);
    }
    return jsonError(404, `there is no path ${path.slice(0, 200)}`);
  };
  return {
    find(method, path) {
      const handlers = paths.get(path) ?? (path.includes("%") ? paths.get(decodePath(path)) : undefined);
      if (handlers === undefined) return notFound(path);
      if (method === "POST" && handlers.POST !== undefined) return handlers.POST;
      // what a HEAD is answered is GET's answer without the body
      if ((method === "GET" || method === "HEAD") && handlers.GET !== undefined) return handlers.GET;
      const allow = [...(handlers.GET ? ["GET", "HEAD"] : []), ...(handlers.POST ? ["POST"] : [])].join(", ");
      return jsonError(405, `${path.slice(0, 200)} takes ${allow}, not ${method}`, { allow });
    },
  };
};

/**
 * Some clients escape characters that need not be, such as the colon of `:predict`. An escaped slash is no separator: whoever stands
 * before the server and decides by the path must see the same segments as the server does.
 */
const decodePath = (path: string): string => {
  try {
    return path.split("/").map(decodeSegment).join("/");
  } catch {
    return path;
  }
};

const decodeSegment = (segment: string): string => {
  const decoded = decodeURIComponent(segment);
  return decoded.includes("/") ? segment : decoded;
};
