/** A request whose body is there as a whole, decompressed and within bounds. */
export type HttpRequest = {
  method: string;
  /** Without the query; not percent-decoded. */
  path: string;
  /** After the "?"; empty where there is none. */
  query: string;
  /** `name` in lower case. A header that came several times is joined with ", ". */
  header(name: string): string | undefined;
  body: Uint8Array;
  /** Gives back at once what the body is counted for. For who keeps none of it. */
  forget?: () => void;
  /** A handler sets it to be told, once, that the client closed the connection before the answer. */
  onGone: (() => void) | undefined;
};

/** The server adds content-length, and compresses where the client asked for it and it is worth it. */
export type HttpResponse = {
  status: number;
  headers: Record<string, string>;
  parts: readonly (string | Uint8Array)[];
};

/** Throws or rejects with a RequestError for what cannot be answered. */
export type Handle = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

/** The paths of one protocol for one model: all are known beforehand, so that a look-up is all that routing costs. */
export type Routes = {
  paths: ReadonlyMap<string, Partial<Record<"GET" | "POST", Handle>>>;
  /** For a path that is none of them but begins like this protocol's: what there is instead (for a 404). */
  explain(path: string): string | undefined;
};

/** Requests that are read, and answers that are written, for longer than others should wait for. */
export type Long = {
  /** Handles a request: at once, in a turn of the event loop in which there is time for it, or elsewhere. */
  handle(request: HttpRequest, handle: Handle): HttpResponse | Promise<HttpResponse>;
  /** Goes on where a handler has been told that its answer is to be written elsewhere; undefined for any other error. */
  resume(request: HttpRequest, error: unknown): Promise<HttpResponse> | undefined;
};
