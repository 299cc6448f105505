/** From the head of a request to its handler's answer. */
import type { Lease } from "../../memory/shares.ts";
import { decompress, type Encoding, parseContentEncoding } from "./encoding.ts";
import { fieldOf } from "./fields.ts";
import type { Head } from "./head.ts";
import { tooLarge } from "./reader.ts";
import type { Shared } from "./shared.ts";
import type { Handle, HttpRequest, HttpResponse } from "./types.ts";

export type Handling = {
  /** The head is there. Returns the answer where it need not wait for the body. Throws what `errorResponse` knows. */
  begin(head: Head): HttpResponse | undefined;
  /** The body is there: from now on one of the outcomes comes, at once or later. */
  run(head: Head, body: Buffer): void;
  /** It was answered. */
  done(): void;
  /** The client has gone. */
  leave(): void;
};

export type Outcomes = { answered(response: HttpResponse): void; failed(error: unknown): void };

/** @param lease what the body is counted in, and what it is before its compression */
export const createHandling = (shared: Shared, lease: Lease, { answered, failed }: Outcomes): Handling => {
  let handle: Handle | undefined;
  let encoding: Encoding | undefined;
  let request: HttpRequest | undefined;

  const call = (): void => {
    if (request === undefined || handle === undefined) return;
    try {
      const result = shared.long === undefined ? handle(request) : shared.long.handle(request, handle);
      if (result instanceof Promise) result.then(answered, refused);
      else answered(result);
    } catch (error) {
      failed(error);
    }
  };

  const refused = (error: unknown): void => {
    const resumed = request === undefined ? undefined : shared.long?.resume(request, error);
    if (resumed === undefined) failed(error);
    else resumed.then(answered, refused);
  };

  return {
    begin(head) {
      const asked = shared.cors?.preflight({ method: head.method, header: (name) => fieldOf(head.fields, name) });
      const route = asked ?? shared.router.find(head.method, head.path);
      if (typeof route !== "function") return route;
      if (head.length !== undefined && head.length > shared.maxBodyBytes) throw tooLarge(shared.maxBodyBytes);
      encoding = parseContentEncoding(fieldOf(head.fields, "content-encoding"));
      handle = route;
      return undefined;
    },
    run({ fields, method, path, query }, body) {
      const header = (name: string): string | undefined => fieldOf(fields, name);
      request = { method, path, query, body, forget: lease.release, onGone: undefined, header };
      if (encoding === undefined || body.length === 0) {
        call();
        return;
      }
      decompress(body, encoding, shared.maxBodyBytes, lease).then((plain) => {
        if (request === undefined) return;
        request.body = plain;
        call();
      }, refused);
    },
    done() {
      handle = request = undefined;
    },
    leave() {
      const left = request;
      handle = request = undefined;
      try {
        left?.onGone?.();
      } catch (error) {
        shared.logError(error);
      }
    },
  };
};
