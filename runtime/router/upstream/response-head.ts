/** The head of a pod's answer by RFC 9112. */
import { parseFields } from "../../transport/http/head.ts";
import type { HeadLimits } from "../../transport/http/request-rules.ts";
import { endToEnd } from "../hop-by-hop.ts";
import type { AnswerHead } from "../message.ts";

/** Of an answer's header: more than of a request's, since what a model says of itself may be put there. */
export const ANSWER_LIMITS: HeadLimits = { fields: 500, bytes: 64 * 1024 };

const SWITCHING = 101;
const NO_CONTENT = 204;

/** How the end of a body is found; `none`: there is no body. */
export type Framing = { kind: "none" | "chunked" | "close" } | { kind: "length"; bytes: number };

export type ResponseHead = AnswerHead & { framing: Framing; keepAlive: boolean };

/** `text` ends with the empty line. Throws an Error, or a Refusal, for what is no such head. */
export const parseResponseHead = (text: string, method: string): ResponseHead => {
  const lineEnd = text.indexOf("\r");
  const line = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(text.slice(0, lineEnd));
  if (line === null) throw new Error("its answer does not begin with a status line of HTTP/1.1");
  const status = Number(line[2]);
  if (status < 100) throw new Error(`its answer has the status ${line[2]}, which is not valid in HTTP`);
  if (status === SWITCHING) throw new Error("its answer switches to a protocol without being asked");
  const all: string[] = [];
  parseFields(text, lineEnd + 2, all, ANSWER_LIMITS.fields);
  let length: number | undefined;
  let coding: string | undefined;
  let close = line[1] === "0";
  for (let i = 0; i < all.length; i += 2) {
    const value = all[i + 1] ?? "";
    if (all[i] === "content-length") {
      if (!/^\d{1,15}$/.test(value) || (length ?? Number(value)) !== Number(value))
        throw new Error(`its answer has the content-length "${value.slice(0, 40)}"`);
      length = Number(value);
    } else if (all[i] === "transfer-encoding") coding = coding === undefined ? value.toLowerCase() : "several";
    else if (all[i] === "connection") {
      const options = value.toLowerCase();
      if (options.includes("close")) close = true;
      else if (options.includes("keep-alive")) close = false;
    }
  }
  if (coding !== undefined && coding !== "chunked")
    throw new Error("its answer has a transfer-encoding besides chunked");
  const hasBody = method !== "HEAD" && status >= 200 && status !== NO_CONTENT && status !== 304;
  const framing = framingOf(hasBody, coding, length);
  return {
    status,
    fields: endToEnd(all),
    // one that never has a body has no length either (RFC 9110, 8.6); those to HEAD and 304 tell that of another answer
    length: coding === undefined && status !== NO_CONTENT ? length : undefined,
    hasBody,
    outcome: status,
    framing,
    keepAlive: !close && framing.kind !== "close",
  };
};

const framingOf = (hasBody: boolean, coding: string | undefined, length: number | undefined): Framing => {
  if (!hasBody) return { kind: "none" };
  if (coding !== undefined) return { kind: "chunked" };
  return length === undefined ? { kind: "close" } : { kind: "length", bytes: length };
};
