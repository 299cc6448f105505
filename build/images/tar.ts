/**
 * A tar writer whose output depends on nothing but its input: entries sorted, every time stamp 0,
 * everything owned by root. POSIX ustar only: a path that it cannot hold is an error, not a surprise.
 */

export type Entry = { path: string } & (
  | { kind: "directory"; mode: number }
  | { kind: "file"; mode: number; content: Uint8Array }
  | { kind: "link"; target: string }
);

const BLOCK = 512;
const FIELD = { name: 100, prefix: 155 };
/** Eleven octal digits of size. */
const MAXIMUM_SIZE = 8 ** 11 - 1;

/** `entries` have relative paths; the folders above them that are not listed are added, mode 0755. */
export const tar = (entries: readonly Entry[]): Buffer => {
  const parts: Uint8Array[] = [];
  for (const entry of complete(entries)) {
    const content = entry.kind === "file" ? entry.content : new Uint8Array();
    parts.push(header(entry, content.byteLength), content, Buffer.alloc(padding(content.byteLength)));
  }
  parts.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(parts);
};

/** Every folder named, parents before children, in byte order of the paths. */
export const complete = (entries: readonly Entry[]): Entry[] => {
  const byPath = new Map<string, Entry>();
  for (const entry of entries) {
    if (!isPlain(entry.path)) throw new Error(`tar: "${entry.path}" is not a plain relative path`);
    if (byPath.has(entry.path)) throw new Error(`tar: "${entry.path}" is there twice`);
    byPath.set(entry.path, entry);
  }
  for (const { path } of entries) {
    const names = path.split("/");
    for (let depth = 1; depth < names.length; depth++) {
      const parent = names.slice(0, depth).join("/");
      const known = byPath.get(parent);
      if (known === undefined) byPath.set(parent, { path: parent, kind: "directory", mode: 0o755 });
      else if (known.kind !== "directory") throw new Error(`tar: "${path}" lies below "${parent}", a ${known.kind}`);
    }
  }
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
};

const isPlain = (path: string) =>
  /^[^\0/]+(\/[^\0/]+)*$/.test(path) && !path.split("/").some((name) => /^\.\.?$/.test(name));

const padding = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK;

const header = (entry: Entry, size: number): Buffer => {
  if (size > MAXIMUM_SIZE) throw new Error(`tar: "${entry.path}" has ${size} bytes, ${MAXIMUM_SIZE} are possible`);
  const block = Buffer.alloc(BLOCK);
  const { prefix, name } = split(entry.kind === "directory" ? `${entry.path}/` : entry.path);
  const target = entry.kind === "link" ? entry.target : "";
  if (Buffer.byteLength(target) > FIELD.name) throw new Error(`tar: the target of "${entry.path}" is too long`);
  const mode = entry.kind === "link" ? 0o777 : entry.mode;
  block.write(name, 0);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108); // uid
  block.write(octal(0, 7), 116); // gid
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136); // mtime
  block.write(" ".repeat(8), 148); // the checksum counts itself as spaces
  block.write({ file: "0", link: "2", directory: "5" }[entry.kind], 156);
  block.write(target, 157);
  block.write("ustar\u000000", 257);
  block.write(prefix, 345);
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  block.write(`${octal(checksum, 6)}\0 `, 148);
  return block;
};

const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");

/** ustar keeps a long path in two fields that are joined by a slash. */
const split = (path: string): { prefix: string; name: string } => {
  if (Buffer.byteLength(path) <= FIELD.name) return { prefix: "", name: path };
  for (let slash = path.indexOf("/"); slash > 0; slash = path.indexOf("/", slash + 1)) {
    const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)];
    if (name !== "" && Buffer.byteLength(name) <= FIELD.name && Buffer.byteLength(prefix) <= FIELD.prefix)
      return { prefix, name };
  }
  throw new Error(`tar: "${path}" is too long for a ustar header`);
};
