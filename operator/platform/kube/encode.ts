/**
 * JSON as the API server writes it itself: besides what JSON asks for, it escapes the characters that HTML and old
 * JavaScript read as something else. Where it stores bytes as they came (`data` of a ControllerRevision) and forbids
 * their change, its own next write of an unescaped `&` would count as one.
 */
export const encode = (value: unknown): string => JSON.stringify(value).replace(SPECIAL, asEscape);

// None of them can stand outside of a string in JSON.
const SPECIAL = /[<>&\u2028\u2029]/g;

const asEscape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
