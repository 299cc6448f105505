/** A file to generate: `path` from the root of the repository, `text` its whole content. */
export type Generated = { path: string; text: string };
