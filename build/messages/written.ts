import type { MessagesOfFile } from "./messages.ts";

const ABOUT = `Every message of these files, made from them by "npm run generate": a review sees each change of words here. Do not edit.
{name} is filled in, [text] may be missing, (one|other) is either, [one|other] either or nothing. Before the colon: the reason or code, and what makes the message.`;

/** A line for each message, under its file, without line numbers: a diff shows a change of words and nothing else. Pure. */
export const written = (files: readonly MessagesOfFile[]): string =>
  [
    ABOUT,
    ...files.flatMap(({ path, messages }) => [
      "",
      path,
      ...messages.map(({ label, text }) => `  ${label}: ${indented(text)}`),
    ]),
    "",
  ].join("\n");

/** Long texts, such as those of --help, keep their lines: each is compared by itself. */
const indented = (text: string): string => text.trim().replaceAll("\n", "\n    ");
