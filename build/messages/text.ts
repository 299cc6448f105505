/** An expression that makes a text, as a reader sees it: `{name}` for what is filled in, `[…]` for what may be missing. Pure. */
import {
  type Expression,
  isBinaryExpression,
  isCallExpression,
  isConditionalExpression,
  isElementAccessExpression,
  isIdentifier,
  isNoSubstitutionTemplateLiteral,
  isParenthesizedExpression,
  isPropertyAccessExpression,
  isStringLiteral,
  isTemplateExpression,
  type Node,
  SyntaxKind,
} from "typescript/unstable/ast";
import { branchesOf, textsBehind } from "./behind.ts";

/** A text, a template, or several of them added up. */
export const isText = (node: Node): boolean =>
  isLiteral(node) ||
  isTemplateExpression(node) ||
  (isBinaryExpression(node) &&
    node.operatorToken.kind === SyntaxKind.PlusToken &&
    (isText(node.left) || isText(node.right)));

/** A rule in CEL: it compares fields of `self`. A message in CEL only adds texts and fields up. */
const CEL = /\bself\.\w+[\s\S]*(?:&&|\|\||[=!<>]=)|(?:&&|\|\||[=!<>]=)[\s\S]*\bself\.\w+/;
/** A line of JavaScript that ends a statement. */
const STATEMENT = /^\s*(?:const|let|import|return)\b.*;$/m;

/** Whether a text is a program for somebody else: a rule of the CRD, or the source of a thread. */
export const isCode = (text: string): boolean => CEL.test(text) || STATEMENT.test(text);

const isLiteral = (node: Node) => isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node);

/** The text that `node` makes; what another function makes stands there by its name. */
export const textOf = (node: Expression): string => {
  if (isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (isParenthesizedExpression(node)) return textOf(node.expression);
  if (isTemplateExpression(node))
    return node.head.text + node.templateSpans.map((span) => textOf(span.expression) + span.literal.text).join("");
  if (isBinaryExpression(node) && isText(node)) return textOf(node.left) + textOf(node.right);
  const alternatives = alternativesOf(node);
  return alternatives.length === 0 ? `{${nameOf(node)}}` : anyOf(alternatives.map(textOf));
};

/** What `node` may be, where the file says it in words. */
const alternativesOf = (node: Expression): Expression[] => {
  const either = isConditionalExpression(node) ? branchesOf(node) : textsBehind(node);
  return either.flatMap((one) => {
    const behind = textsBehind(one);
    return behind.length === 0 ? [one] : behind;
  });
};

/** What is filled in: the expressions in `node` that are not shown as text themselves, and may make texts of their own. */
export const partsOf = (node: Expression): Expression[] => {
  if (isParenthesizedExpression(node)) return partsOf(node.expression);
  if (isTemplateExpression(node)) return node.templateSpans.flatMap((span) => partsOf(span.expression));
  if (isBinaryExpression(node) && isText(node)) return [...partsOf(node.left), ...partsOf(node.right)];
  if (isConditionalExpression(node)) return [node.condition, ...partsOf(node.whenTrue), ...partsOf(node.whenFalse)];
  return isLiteral(node) ? [] : [node];
};

/** Reads like `(is|are)`, `[ at once]` or `[ at once| soon]`. */
const anyOf = (texts: readonly string[]): string => {
  const [first = "", ...others] = new Set(texts.filter((text) => text !== ""));
  if (texts.includes("")) return `[${[first, ...others].join("|")}]`;
  return others.length === 0 ? first : `(${[first, ...others].join("|")})`;
};

/** What a value is called: the last name of a path, or the function that makes it. */
const nameOf = (node: Node): string => {
  if (isIdentifier(node)) return node.text;
  if (isParenthesizedExpression(node)) return nameOf(node.expression);
  if (isElementAccessExpression(node)) return nameOf(node.expression);
  if (isBinaryExpression(node)) return nameOf(node.left);
  if (isPropertyAccessExpression(node)) return ANONYMOUS.has(node.name.text) ? nameOf(node.expression) : node.name.text;
  if (!isCallExpression(node)) return "…";
  const called = node.expression;
  if (isPropertyAccessExpression(called))
    return SHAPING.has(called.name.text) ? nameOf(called.expression) : `${called.name.text}()`;
  const [first] = node.arguments;
  if (isIdentifier(called) && CASTS.has(called.text) && first !== undefined) return nameOf(first);
  return `${nameOf(called)}()`;
};

/** They say nothing of what they belong to. */
const ANONYMOUS: ReadonlySet<string> = new Set(["length", "metadata", "name", "size", "spec", "text"]);
/** They change how a value is shown, not what it is. */
const SHAPING: ReadonlySet<string> = new Set(
  "at filter flatMap join keys map slice toFixed toISOString toLocaleString toSorted toString trim trimEnd values".split(
    " ",
  ),
);
const CASTS: ReadonlySet<string> = new Set(["Number", "String"]);
