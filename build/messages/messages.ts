/**
 * Every message of a program, read off its sources: all texts of two words or more, and shorter ones where an error or a condition has its
 * message. So no message is left out because somebody forgot to list it; a few texts are listed that nobody reads.
 */
import { isExpression, isTypeNode, type Node } from "typescript/unstable/ast";
import { codedElsewhere, describedBy, isSaid, isUnread, labelOf } from "./place.ts";
import { eachTree } from "./sources.ts";
import { isCode, isText, partsOf, textOf } from "./text.ts";

/** `label`: the reason or code, and the function that makes it. */
export type Message = { label: string; text: string };
export type MessagesOfFile = { path: string; messages: Message[] };

/** Those of `sources`, texts by path; files without any are left out. */
export const messagesOf = (sources: Readonly<Record<string, string>>): MessagesOfFile[] =>
  eachTree(sources, (path, tree) => ({ path, messages: [...messagesIn(tree)] })).filter(
    ({ messages }) => messages.length > 0,
  );

function* messagesIn(node: Node): Generator<Message> {
  if (isTypeNode(node)) return;
  const described = describedBy(node);
  if (described !== undefined) return yield* messagesIn(described);
  if (isExpression(node) && isText(node)) {
    const text = textOf(node);
    if (!isUnread(node) && !isCode(text) && (isProse(text) || (isSaid(node) && /[a-z]/i.test(text))))
      yield { label: labelOf(node), text };
    for (const part of partsOf(node)) yield* messagesIn(part);
    return;
  }
  const coded = codedElsewhere(node);
  if (coded !== undefined) yield { label: coded.label, text: textOf(coded.message) };
  const children: Node[] = [];
  node.forEachChild((child) => void children.push(child));
  for (const child of children) yield* messagesIn(child);
}

/** Two words, of which one may be filled in. */
const isProse = (text: string): boolean => {
  const words = text.replaceAll(/\{[^}]*\}/g, "{x}").match(/[\p{L}{][\p{L}\p{N}'’}-]*/gu) ?? [];
  return /\s/.test(text.trim()) && words.length > 1 && words.some((word) => /^\p{L}{2,}/u.test(word));
};
