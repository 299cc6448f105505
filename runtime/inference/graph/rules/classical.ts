/** ai.onnx.ml, which scikit-learn and the tree libraries become: tables whose rows are [batch, features]. */
import { type Call, input, intOf, intsOf, lengthOf, mustBeFixed, type Rule, shapeOf, stringOf } from "../call.ts";
import { constant, ONE, product, type Term } from "../terms.ts";
import { fixed, type Rows, refuse, sameRows, type Tensor, withRows } from "../values.ts";

const FLOAT = 1;
const INT64 = 7;
const STRING = 8;

/** A table of rows; undefined where nothing of it comes from rows. A list would be one row of features. */
const table = (x: Tensor): { batch: Term; rows: Rows; width: Term } | undefined => {
  if (x.rows === undefined) return undefined;
  const shape = shapeOf(x);
  if (shape.length !== 2 || x.rows.axis !== 0) refuse("it takes tables of [batch, features], and gets something else");
  return { batch: shape[0] ?? ONE, rows: x.rows, width: shape[1] ?? ONE };
};

/** `width`: of the result's rows; undefined: one number for each, without an axis of its own. */
const tabled =
  (...outputs: readonly ((call: Call) => { type: number; width: Term | undefined })[]): Rule =>
  (call) => {
    const own = table(input(call, 0));
    mustBeFixed(call, 1);
    return outputs.map((of) => {
      const { type, width } = of(call);
      if (own === undefined) return fixed(type, undefined);
      return withRows(type, width === undefined ? [own.batch] : [own.batch, width], own.rows);
    });
  };

const labels =
  (...names: readonly string[]) =>
  (call: Call) => ({
    type: names.some((name) => (lengthOf(call, name) ?? 0) > 0) ? STRING : INT64,
    width: undefined,
  });
const targets = (call: Call) => {
  const found = call.node.attributes.get("n_targets") ?? call.node.attributes.get("targets");
  return { type: FLOAT, width: found?.kind === "int" ? constant(found.value) : call.symbols.fresh() };
};

const perElement =
  (type?: number): Rule =>
  (call) => {
    const x = input(call, 0);
    mustBeFixed(call, 1);
    const of = type ?? x.type;
    return [x.rows === undefined ? fixed(of, x.shape) : withRows(of, shapeOf(x), x.rows)];
  };

/** Numbers for each feature, the last axis; or one for all. */
const perFeature =
  (type: number, ...names: readonly string[]): Rule =>
  (call) => {
    const x = input(call, 0);
    if (x.rows !== undefined && names.some((name) => (lengthOf(call, name) ?? 1) > 1)) {
      const last = shapeOf(x).length - 1;
      if (x.rows.axis === last) refuse("it has a number for each place along the batch");
    }
    return perElement(type)(call);
  };

const normalizer: Rule = (call) => {
  const x = input(call, 0);
  if (x.rows === undefined) return [fixed(FLOAT, x.shape)];
  if (x.rows.axis === shapeOf(x).length - 1) refuse("it normalises over the batch");
  return [withRows(FLOAT, shapeOf(x), x.rows)];
};

const oneHot: Rule = (call) => {
  const x = input(call, 0);
  if (x.rows === undefined) return [fixed(FLOAT, undefined)];
  const width = lengthOf(call, "cats_strings") ?? lengthOf(call, "cats_int64s");
  return [withRows(FLOAT, [...shapeOf(x), width === undefined ? call.symbols.fresh() : constant(width)], x.rows)];
};

const vectorizer: Rule = (call) => {
  const parts = call.inputs.filter((tensor) => tensor !== undefined);
  const tables = parts.map(table);
  const first = tables.find((one) => one !== undefined);
  if (first === undefined) return [fixed(FLOAT, undefined)];
  for (const own of tables) {
    if (own === undefined) return refuse("it joins a tensor that is the same for all requests to each row");
    if (!sameRows(own.rows, first.rows)) refuse("it joins features of different rows");
  }
  const widths = intsOf(call, "inputdimensions");
  const width = widths === undefined ? call.symbols.fresh() : constant(widths.reduce((sum, one) => sum + one, 0));
  return [withRows(FLOAT, [first.batch, width], first.rows)];
};

/** Picks along the last axis; what is picked from a list comes as one row. */
const extractor: Rule = (call) => {
  const [x, indices] = [input(call, 0), input(call, 1)];
  if (x.rows === undefined && indices.rows === undefined) return [fixed(x.type, undefined)];
  const places = shapeOf(indices);
  const count = product(call.symbols, places) ?? ONE;
  if (x.rows !== undefined) {
    mustBeFixed(call, 1);
    const shape = shapeOf(x);
    if (x.rows.axis === shape.length - 1) refuse("it picks rows of the batch");
    return [withRows(x.type, [...shape.slice(0, -1), count], x.rows)];
  }
  const { rows } = indices;
  if (rows === undefined || shapeOf(x).length !== 1) return refuse("rows pick from a table");
  const around = (sizes: readonly Term[], own: Term): Term => product(call.symbols, [...sizes, own]) ?? ONE;
  return [
    withRows(x.type, [ONE, count], {
      axis: 1,
      outer: around(places.slice(0, rows.axis), rows.outer),
      inner: around(places.slice(rows.axis + 1), rows.inner),
    }),
  ];
};

/** A map for each row, of its scores by class: given out as a table. */
const zipMap: Rule = (call) => {
  const own = table(input(call, 0));
  if (own === undefined) return [fixed(0, undefined)];
  return [withRows(FLOAT, [own.batch, own.width], own.rows)];
};

const classes = (call: Call, ...names: readonly string[]): Term => {
  const counts = names.map((name) => lengthOf(call, name) ?? 0);
  const most = Math.max(0, ...counts);
  return most > 0 ? constant(most) : call.symbols.fresh();
};
const classLists = ["classlabels_strings", "classlabels_int64s", "classlabels_ints"];
const scores = (call: Call) => ({ type: FLOAT, width: classes(call, ...classLists) });
const classifier = tabled(labels("classlabels_strings"), scores);

export const CLASSICAL_RULES: Readonly<Record<string, Rule>> = {
  TreeEnsemble: tabled(targets),
  TreeEnsembleRegressor: tabled(targets),
  TreeEnsembleClassifier: classifier,
  LinearClassifier: classifier,
  SVMClassifier: classifier,
  LinearRegressor: tabled(targets),
  SVMRegressor: tabled(() => ({ type: FLOAT, width: ONE })),
  Scaler: perFeature(FLOAT, "offset", "scale"),
  Imputer: perFeature(0, "imputed_value_floats", "imputed_value_int64s"),
  Normalizer: normalizer,
  Binarizer: perElement(),
  LabelEncoder: perElement(0),
  CategoryMapper: perElement(0),
  OneHotEncoder: oneHot,
  FeatureVectorizer: vectorizer,
  ArrayFeatureExtractor: extractor,
  ZipMap: zipMap,
};

/** Words: a row may be one text, or a list of them. */
const stringNormalizer: Rule = (call) => {
  const x = input(call, 0);
  if (x.rows === undefined) return [fixed(STRING, x.filling === undefined ? undefined : x.shape)];
  if ((lengthOf(call, "stopwords") ?? 0) > 0) refuse("it drops words, so that rows do not stay where they are");
  if (x.rows.axis !== 0 || shapeOf(x).length !== 1) refuse("it takes a list of words for one row");
  return [x];
};

/** Counts of words; rows may be filled up with what is no word that it counts. */
const tfIdf: Rule = (call) => {
  const x = input(call, 0);
  const own = table(x);
  if (own === undefined) return [fixed(FLOAT, undefined)];
  if (x.filling !== undefined) {
    const pool = call.node.attributes.get("pool_strings");
    const words = pool?.kind === "strings" ? pool.values : undefined;
    if (words === undefined || words.includes(x.filling)) {
      refuse(`it counts "${x.filling}", with which shorter rows are filled up to the longest of the run`);
    }
  }
  const indexes = intsOfLongList(call);
  return [withRows(FLOAT, [own.batch, indexes ?? call.symbols.fresh()], own.rows)];
};
const intsOfLongList = ({ node }: Call): Term | undefined => {
  const found = node.attributes.get("ngram_indexes");
  if (found?.kind !== "ints" || found.values === undefined) return undefined;
  return constant(Math.max(-1, ...found.values) + 1);
};

/** Cuts texts into words, and fills shorter rows up to the longest. */
const tokenizer: Rule = (call) => {
  const x = input(call, 0);
  if (x.rows === undefined) return [fixed(STRING, undefined)];
  const filling = stringOf(call, "pad_value") ?? refuse("it has no pad_value");
  if (intOf(call, "mark") === 1) refuse("it marks the ends of texts, which are where the longest of the run ends");
  if (x.rows.axis !== 0 || x.filling !== undefined) refuse("the batch is not its first axis");
  return [{ ...withRows(STRING, [...shapeOf(x), call.symbols.fresh()], x.rows), filling }];
};

export const TEXT_RULES: Readonly<Record<string, Rule>> = {
  StringNormalizer: stringNormalizer,
  TfIdfVectorizer: tfIdf,
};
export const MICROSOFT_TEXT_RULES: Readonly<Record<string, Rule>> = { Tokenizer: tokenizer };
