// What proto-loader describes (each package as one file) lacks two things, so that clients which link what reflection tells
// refuse it: the files that a file needs (protobufjs: "dependency: Not supported"), and the names that the language
// prescribes for the entries of maps (it calls the entry of `features` "Features", which hides a message of that name).

const VARINT = 0;
const BYTES = 2;

/** `bytes` where it is a message, a string or bytes, else `value`. Descriptors have no fields of a fixed size. */
type Field = { number: number; bytes: Uint8Array } | { number: number; bytes: undefined; value: number };

const decode = (message: Uint8Array): Field[] => {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) break;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new Error("a file descriptor is cut off");
  };
  while (at < message.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const value = varint();
    if (tag % 8 === VARINT) fields.push({ number, bytes: undefined, value });
    else if (tag % 8 === BYTES) {
      fields.push({ number, bytes: message.subarray(at, at + value) });
      at += value;
    } else throw new Error(`a file descriptor has a field of wire type ${tag % 8}`);
  }
  return fields;
};

const varintOf = (value: number): Uint8Array => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Uint8Array.of(...bytes, rest);
};

const encode = (fields: readonly Field[]): Buffer =>
  Buffer.concat(
    fields.flatMap((field) =>
      field.bytes === undefined
        ? [varintOf(field.number * 8 + VARINT), varintOf(field.value)]
        : [varintOf(field.number * 8 + BYTES), varintOf(field.bytes.length), field.bytes],
    ),
  );

const textOf = (fields: readonly Field[], number: number): string =>
  Buffer.from(fields.find((field) => field.number === number)?.bytes ?? []).toString();

const withText = (fields: readonly Field[], number: number, text: string): Field[] =>
  fields.map((field) => (field.number === number ? { number, bytes: Buffer.from(text) } : field));

/** Applies `change` to the messages that field `number` holds. */
const changed = (fields: readonly Field[], number: number, change: (fields: Field[]) => Field[]): Field[] =>
  fields.map((field) =>
    field.number === number && field.bytes !== undefined
      ? { number, bytes: encode(change(decode(field.bytes))) }
      : field,
  );

const messagesOf = (fields: readonly Field[], number: number): Field[][] =>
  fields.flatMap((field) => (field.number === number && field.bytes !== undefined ? [decode(field.bytes)] : []));

// Numbers of fields in google/protobuf/descriptor.proto.
const FILE = { name: 1, package: 2, dependency: 3, message: 4, enum: 5, service: 6 };
const MESSAGE = { name: 1, field: 2, nested: 3, enum: 4, options: 7 };
const OPTIONS_MAP_ENTRY = 7;
const FIELD = { name: 1, typeName: 6 };
const METHOD = { of: 2, input: 2, output: 3 };

/** As the language prescribes: of `my_field` it is MyFieldEntry. */
const entryName = (field: string): string =>
  `${field.replace(/(?:^|_)(.?)/g, (_, letter: string) => letter.toUpperCase())}Entry`;

const isMapEntry = (message: readonly Field[]): boolean =>
  messagesOf(message, MESSAGE.options).some((options) => options.some(({ number }) => number === OPTIONS_MAP_ENTRY));

/** A message whose map entries are named as the language prescribes. */
const withEntryNames = (message: readonly Field[]): Field[] => {
  const names = new Map<string, string>();
  const entries = new Set(
    messagesOf(message, MESSAGE.nested)
      .filter(isMapEntry)
      .map((entry) => textOf(entry, MESSAGE.name)),
  );
  const fields = changed(message, MESSAGE.field, (field) => {
    const name = textOf(field, FIELD.name);
    const type = textOf(field, FIELD.typeName);
    // protobufjs calls it as the field, with a capital letter.
    if (!entries.has(type) || type !== name.charAt(0).toUpperCase() + name.slice(1)) return field;
    names.set(type, entryName(name));
    return withText(field, FIELD.typeName, entryName(name));
  });
  return changed(fields, MESSAGE.nested, (nested) => {
    const name = names.get(textOf(nested, MESSAGE.name));
    return name !== undefined && isMapEntry(nested) ? withText(nested, MESSAGE.name, name) : withEntryNames(nested);
  });
};

type Found = { defined: string[]; references: { scope: string; name: string }[] };

const join = (scope: string, name: string): string => (scope === "" ? name : `${scope}.${name}`);

const addMessage = (found: Found, scope: string, message: readonly Field[]): void => {
  const name = join(scope, textOf(message, MESSAGE.name));
  found.defined.push(name);
  for (const field of messagesOf(message, MESSAGE.field)) {
    const type = textOf(field, FIELD.typeName);
    if (type !== "") found.references.push({ scope: name, name: type });
  }
  for (const nested of messagesOf(message, MESSAGE.nested)) addMessage(found, name, nested);
  for (const nested of messagesOf(message, MESSAGE.enum)) found.defined.push(join(name, textOf(nested, MESSAGE.name)));
};

/** What a file defines and refers to. */
const find = (file: readonly Field[]): Found => {
  const scope = textOf(file, FILE.package);
  const found: Found = { defined: [], references: [] };
  for (const message of messagesOf(file, FILE.message)) addMessage(found, scope, message);
  for (const one of messagesOf(file, FILE.enum)) found.defined.push(join(scope, textOf(one, MESSAGE.name)));
  for (const method of messagesOf(file, FILE.service).flatMap((service) => messagesOf(service, METHOD.of))) {
    for (const number of [METHOD.input, METHOD.output]) found.references.push({ scope, name: textOf(method, number) });
  }
  return found;
};

/** A name that begins with a dot is absolute; another is looked for in its scope, and then in each around it. */
const resolve = (scope: string, name: string, files: ReadonlyMap<string, string>): string | undefined => {
  if (name.startsWith(".")) return files.get(name.slice(1));
  for (let around = scope; around !== ""; around = around.slice(0, Math.max(0, around.lastIndexOf(".")))) {
    const file = files.get(`${around}.${name}`);
    if (file !== undefined) return file;
  }
  return files.get(name);
};

/** FileDescriptorProtos of proto-loader, made complete so that they can be linked. */
export const linkable = (descriptors: readonly Uint8Array[]): Buffer[] => {
  const files = descriptors.map((descriptor) => {
    const file = changed(decode(descriptor), FILE.message, withEntryNames);
    return { file, name: textOf(file, FILE.name), ...find(file) };
  });
  const fileOf = new Map(files.flatMap(({ name, defined }) => defined.map((one): [string, string] => [one, name])));
  return files.map(({ file, name, references }) => {
    const needed = new Set(references.map((one) => resolve(one.scope, one.name, fileOf)));
    const others = [...needed].flatMap((other) => (other === undefined || other === name ? [] : [Buffer.from(other)]));
    return encode([...file, ...others.map((bytes) => ({ number: FILE.dependency, bytes }))]);
  });
};
