/** Where a text stands: whether anybody reads it, and by what it is known. Pure. */
import {
  type Expression,
  isBinaryExpression,
  isCallExpression,
  isConditionalExpression,
  isFunctionDeclaration,
  isIdentifier,
  isMethodDeclaration,
  isNewExpression,
  isNumericLiteral,
  isObjectLiteralExpression,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isShorthandPropertyAssignment,
  isStringLiteral,
  isThrowStatement,
  isVariableDeclaration,
  type Node,
  type ObjectLiteralExpression,
  SyntaxKind,
} from "typescript/unstable/ast";
import { isText } from "./text.ts";

/** What is no text: the expressions of the CRD's rules. */
const CODE: ReadonlySet<string> = new Set(["rule"]);
/** A message beside one of these is known by it. */
const CODES: ReadonlySet<string> = new Set(["code", "reason", "status"]);
const SAID: ReadonlySet<string> = new Set(["cure", "detail", "error", "means", "message", "note"]);
const LOOKS: ReadonlySet<string> = new Set(
  "endsWith includes indexOf join match replace replaceAll split startsWith".split(" "),
);
const COMPARISONS: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.EqualsEqualsEqualsToken,
  SyntaxKind.ExclamationEqualsEqualsToken,
  SyntaxKind.InKeyword,
]);
/** In characters: a destructured declaration has a name of its own length. */
const LONGEST_NAME = 40;

/** Texts that the program compares, imports or looks for, and nobody reads. */
export const isUnread = (node: Node): boolean => {
  const { parent } = node;
  switch (parent.kind) {
    case SyntaxKind.ImportDeclaration:
    case SyntaxKind.ExportDeclaration:
    case SyntaxKind.CaseClause:
    case SyntaxKind.ElementAccessExpression:
      return true;
    case SyntaxKind.PropertyAssignment:
      return isPropertyAssignment(parent) && (parent.name === node || CODE.has(parent.name.getText()));
    case SyntaxKind.BinaryExpression:
      return isBinaryExpression(parent) && COMPARISONS.has(parent.operatorToken.kind);
    case SyntaxKind.CallExpression:
      return isCallExpression(parent) && parent.arguments[0] === node && isLook(parent.expression);
    case SyntaxKind.PropertyAccessExpression:
      // words in a row, which are a list
      return isPropertyAccessExpression(parent) && parent.name.text === "split";
    default:
      return false;
  }
};

const isLook = (called: Node): boolean => isPropertyAccessExpression(called) && LOOKS.has(called.name.text);

/** Whether a text that is no more than a word is a message where it stands. */
export const isSaid = (node: Node): boolean => {
  const { parent } = node;
  if (isNewExpression(parent)) return parent.arguments?.length === 1 && isThrowStatement(parent.parent);
  return isPropertyAssignment(parent) && SAID.has(parent.name.getText());
};

/** What stands before `.describe(…)`, whose text is in docs/api.md and not repeated here; undefined for anything else. */
export const describedBy = (node: Node): Node | undefined =>
  isCallExpression(node) && isPropertyAccessExpression(node.expression) && node.expression.name.text === "describe"
    ? node.expression.expression
    : undefined;

/** By what a text is known: its reason or code, and who makes it. Reads like `Refusal 400`, `ModelNotFound` or `inWords`. */
export const labelOf = (node: Node): string => {
  const { parent } = node;
  if (parent === undefined || parent.kind === SyntaxKind.SourceFile) return "";
  if ((isCallExpression(parent) || isNewExpression(parent)) && parent.expression !== node) {
    const codes = (parent.arguments ?? []).filter((one) => one !== node).flatMap(codeOf);
    return [calledOf(parent.expression), ...codes].filter((word) => word !== "").join(" ");
  }
  if (isPropertyAssignment(parent) && isObjectLiteralExpression(parent.parent)) {
    const codes = siblingCodes(parent.parent);
    if (codes.length > 0) return codes.join(" ");
    const outer = labelOf(parent.parent);
    return `${outer === "" ? "" : `${outer}.`}${parent.name.getText()}`;
  }
  if ((isVariableDeclaration(parent) || isMethodDeclaration(parent) || isFunctionDeclaration(parent)) && parent.name)
    return parent.name.getText().replace(/\s+/g, " ").slice(0, LONGEST_NAME);
  return labelOf(parent);
};

/**
 * A reason or code whose message is made elsewhere: of an event, an error, or a condition. Its label, and what stands where the message
 * would; undefined for anything else.
 */
export const codedElsewhere = (node: Node): { label: string; message: Expression } | undefined => {
  if (isObjectLiteralExpression(node)) {
    const message = node.properties.flatMap(madeElsewhere)[0];
    const label = siblingCodes(node).join(" ");
    return message === undefined || label === "" ? undefined : { label, message };
  }
  if (!isCallExpression(node) && !isNewExpression(node)) return undefined;
  const called = calledOf(node.expression);
  if (!(isCallExpression(node) ? EVENT : ERROR).test(called)) return undefined;
  const given = node.arguments ?? [];
  const codes = given.flatMap(codeOf);
  const message = given.findLast((one) => codeOf(one).length === 0 && !isText(one) && !isConditionalExpression(one));
  const isHere = given.some((one) => isText(one) && codeOf(one).length === 0) || given.some(isConditionalExpression);
  return isHere || codes.length === 0 || message === undefined
    ? undefined
    : { label: [called, ...codes].join(" "), message };
};

const EVENT = /\.event$/;
const ERROR = /(?:Error|Failure|Refusal)$/;

const madeElsewhere = (one: Node): Expression[] => {
  if (isShorthandPropertyAssignment(one))
    return isIdentifier(one.name) && one.name.text === "message" ? [one.name] : [];
  if (!isPropertyAssignment(one) || one.name.getText() !== "message") return [];
  return isText(one.initializer) || isConditionalExpression(one.initializer) ? [] : [one.initializer];
};

/** Reasons, codes and statuses beside a message in one object. */
const siblingCodes = (object: ObjectLiteralExpression): string[] =>
  object.properties.flatMap((one) =>
    isPropertyAssignment(one) && CODES.has(one.name.getText()) ? codeOf(one.initializer) : [],
  );

/** A code is one word or a number; a constant's name stands for it. */
const codeOf = (node: Node): string[] => {
  if (isStringLiteral(node)) return /^[\w-]+$/.test(node.text) ? [node.text] : [];
  if (isNumericLiteral(node)) return [node.getText()];
  return isPropertyAccessExpression(node) && /^[A-Z][A-Z_]+$/.test(node.name.text) ? [node.name.text] : [];
};

const calledOf = (node: Node): string => {
  if (isIdentifier(node)) return node.text;
  if (!isPropertyAccessExpression(node)) return "";
  const owner = calledOf(node.expression);
  return owner === "" ? node.name.text : `${owner}.${node.name.text}`;
};
