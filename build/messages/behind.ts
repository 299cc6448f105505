/** What stands behind a name, where its own file says it in words: `{still}` would hide what is printed. Pure. */
import {
  type ArrowFunction,
  type CallExpression,
  type Expression,
  isArrayBindingPattern,
  isArrayLiteralExpression,
  isArrowFunction,
  isBindingElement,
  isBlock,
  isCallExpression,
  isConditionalExpression,
  isExpression,
  isForOfStatement,
  isFunctionLikeDeclaration,
  isIdentifier,
  isNoSubstitutionTemplateLiteral,
  isParenthesizedExpression,
  isReturnStatement,
  isSourceFile,
  isStringLiteral,
  isTemplateExpression,
  isVariableDeclaration,
  isVariableStatement,
  type Node,
  type VariableDeclaration,
} from "typescript/unstable/ast";

/** The texts that a constant, or a call of a function of this file, may be; none where it is a value or comes from elsewhere. */
export const textsBehind = (node: Expression): Expression[] => {
  if (isIdentifier(node)) {
    const bound = boundTo(node.text, node);
    return bound.every(isWords) ? bound : [];
  }
  if (!isCallExpression(node) || !isIdentifier(node.expression)) return [];
  const [called] = boundTo(node.expression.text, node);
  // its parameters mean nothing here
  const returned = called !== undefined && isArrowFunction(called) ? returnedBy(called.body) : [];
  return returned.every(isPlain) ? returned : [];
};

/** What the nearest declaration of that name makes it. */
const boundTo = (name: string, node: Node): Expression[] => {
  const { parent } = node;
  if (parent === undefined) return [];
  if (isFunctionLikeDeclaration(parent)) {
    const at = parent.parameters.findIndex((one) => namesIn(one.name).includes(name));
    if (at >= 0) return isArrowFunction(parent) ? passedOn(parent, at, name) : [];
  }
  if (isForOfStatement(parent) && declares(parent.initializer, name)) return [];
  if (isBlock(parent) || isSourceFile(parent)) {
    const found = parent.statements.filter(isVariableStatement).find((one) => declares(one, name));
    if (found !== undefined) return declaredIn(found, name);
  }
  return boundTo(name, parent);
};

/** What a parameter is, where each caller in the file gives a constant of the same name for it. */
const passedOn = (callee: ArrowFunction, at: number, name: string): Expression[] => {
  const declaration = callee.parent;
  if (!isVariableDeclaration(declaration) || !isIdentifier(declaration.name)) return [];
  const given = callsIn(fileOf(callee), declaration.name.text).map((call) => call.arguments[at]);
  const [first] = given;
  const isPassed = given.every((one) => one !== undefined && isIdentifier(one) && one.text === name);
  return first !== undefined && isPassed ? boundTo(name, first) : [];
};

const callsIn = (node: Node, name: string): CallExpression[] => {
  const found: CallExpression[] = [];
  if (isCallExpression(node) && isIdentifier(node.expression) && node.expression.text === name) found.push(node);
  node.forEachChild((child) => void found.push(...callsIn(child, name)));
  return found;
};

const fileOf = (node: Node): Node => (node.parent === undefined ? node : fileOf(node.parent));

const declarationsIn = (node: Node): VariableDeclaration[] => {
  if (isVariableDeclaration(node)) return [node];
  const found: VariableDeclaration[] = [];
  // what is declared within a value is no declaration of this one
  if (!isExpression(node)) node.forEachChild((child) => void found.push(...declarationsIn(child)));
  return found;
};

const declares = (node: Node, name: string): boolean =>
  declarationsIn(node).some((one) => namesIn(one.name).includes(name));

const declaredIn = (node: Node, name: string): Expression[] => {
  const declaration = declarationsIn(node).find((one) => namesIn(one.name).includes(name));
  if (declaration?.initializer === undefined) return [];
  const branches = branchesOf(declaration.initializer);
  if (isIdentifier(declaration.name)) return branches;
  if (!isArrayBindingPattern(declaration.name)) return [];
  const at = namesIn(declaration.name).indexOf(name);
  return branches.flatMap((one) => elementAt(one, at));
};

const elementAt = (list: Expression, at: number): Expression[] => {
  const element = isArrayLiteralExpression(list) ? list.elements[at] : undefined;
  return element !== undefined && isExpression(element) ? [element] : [];
};

/** The names that a declaration gives, in their order. */
const namesIn = (node: Node): string[] => {
  if (isIdentifier(node)) return [node.text];
  const names: string[] = [];
  node.forEachChild((child) => void names.push(...(isBindingElement(child) && child.name ? namesIn(child.name) : [])));
  return names;
};

const returnedBy = (node: Node): Expression[] => {
  if (isExpression(node)) return branchesOf(node);
  if (isReturnStatement(node)) return node.expression === undefined ? [] : branchesOf(node.expression);
  const found: Expression[] = [];
  node.forEachChild((child) => {
    if (!isExpression(child) && !isArrowFunction(child)) found.push(...returnedBy(child));
  });
  return found;
};

/** The branches of a conditional; anything else is its only one. */
export const branchesOf = (node: Expression): Expression[] => {
  if (isParenthesizedExpression(node)) return branchesOf(node.expression);
  return isConditionalExpression(node) ? [...branchesOf(node.whenTrue), ...branchesOf(node.whenFalse)] : [node];
};

const isPlain = (node: Expression): boolean => isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node);
/** A text, of one line. */
const isWords = (node: Expression): boolean =>
  (isPlain(node) || isTemplateExpression(node)) && !/[\r\n]|\\n/.test(node.getText());
