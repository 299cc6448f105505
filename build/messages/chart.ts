/** The messages that the chart refuses values with. Pure. */
import type { MessagesOfFile } from "./messages.ts";

/** `fail "…"` and `fail (printf "…" …)`, as Helm's templates have them. */
const FAILURES = /\bfail\s+(?:\(\s*printf\s+)?"((?:[^"\\]|\\.)*)"/g;

/** Those of `templates`, texts by path. */
export const chartMessages = (templates: Readonly<Record<string, string>>): MessagesOfFile[] =>
  Object.entries(templates)
    .map(([path, template]) => ({
      path,
      messages: [...template.matchAll(FAILURES)].map(([, text = ""]) => ({ label: "fail", text })),
    }))
    .filter(({ messages }) => messages.length > 0);
