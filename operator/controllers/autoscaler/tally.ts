/** What the routers of all namespaces have told, and what of it is news. Plain counting, no I/O. */

/** Of one revision, at one router; `arrived` since that was started. */
export type Told = { arrived: number; crowd: number; waiting: number; inFlight: number };

/** One line of a router: what it says by ModelDeployment and revision. `started` names the run that its counters are of. */
export type Line = { started: string; models: Readonly<Record<string, Readonly<Record<string, Told>>>> };

/** Of one revision, of all routers; `arrivals` and `crowd` since it was taken last. */
export type Sum = { arrivals: number; crowd: number; waiting: number; inFlight: number };

export type Tally = {
  /** A router (by its address) has told something of its namespace. Names what requests wait for. */
  hear(namespace: string, router: string, line: Line): { waiting: string[] };
  /** It tells no more. */
  lose(router: string): void;
  /** It does not come back. */
  drop(router: string): void;
  /** By revision. */
  take(namespace: string, model: string): ReadonlyMap<string, Sum>;
  forget(namespace: string, model: string): void;
};

type Known = Told & { started: string };
type Model = { routers: Map<string, Map<string, Known>>; news: Map<string, { arrivals: number; crowd: number }> };

/** More than a namespace has: a router may name what it likes. */
const MOST_MODELS = 5000;
const MOST_REVISIONS = 16;

type State = {
  /** By namespace and name. */
  readonly models: Map<string, Model>;
  /** How many are known of each namespace. */
  readonly counts: Map<string, number>;
};

export const createTally = (): Tally => {
  const state: State = { models: new Map(), counts: new Map() };
  return {
    hear: (namespace, router, line) => hear(state, namespace, router, line),
    lose: (router) => lose(state, router),
    drop: (router) => drop(state, router),
    take: (namespace, name) => take(state.models.get(`${namespace}/${name}`)),
    forget: (namespace, name) => forget(state, `${namespace}/${name}`),
  };
};

const modelOf = ({ counts, models }: State, namespace: string, name: string): Model | undefined => {
  const key = `${namespace}/${name}`;
  const known = models.get(key);
  const count = counts.get(namespace) ?? 0;
  if (known !== undefined || count >= MOST_MODELS) return known;
  const model: Model = { routers: new Map(), news: new Map() };
  models.set(key, model);
  counts.set(namespace, count + 1);
  return model;
};

const forget = ({ counts, models }: State, key: string): void => {
  if (!models.delete(key)) return;
  const namespace = key.slice(0, key.indexOf("/"));
  const count = (counts.get(namespace) ?? 0) - 1;
  if (count > 0) counts.set(namespace, count);
  else counts.delete(namespace);
};

const hear = (state: State, namespace: string, router: string, { models, started }: Line): { waiting: string[] } => {
  const waiting: string[] = [];
  for (const [name, revisions] of Object.entries(models)) {
    const model = modelOf(state, namespace, name);
    if (model === undefined) continue;
    hearModel(model, router, started, Object.entries(revisions).slice(0, MOST_REVISIONS));
    if (Object.values(revisions).some((arm) => arm.waiting > 0)) waiting.push(name);
  }
  return { waiting };
};

const hearModel = (model: Model, router: string, started: string, revisions: readonly [string, Told][]): void => {
  const before = model.routers.get(router);
  const now = new Map<string, Known>();
  for (const [revision, arm] of revisions) {
    const last = before?.get(revision);
    // the first line of a connection says what there was: only what comes later is news, unless the router is new itself
    const from =
      last === undefined ? (before === undefined ? arm.arrived : 0) : last.started === started ? last.arrived : 0;
    const arrivals = Math.max(0, arm.arrived - from);
    const news = model.news.get(revision) ?? { arrivals: 0, crowd: 0 };
    // a crowd of an earlier line may be in this one again
    const crowd = arrivals === 0 ? news.crowd : Math.max(news.crowd, arm.crowd);
    model.news.set(revision, { arrivals: news.arrivals + arrivals, crowd });
    now.set(revision, { ...arm, started });
  }
  model.routers.set(router, now);
};

const lose = ({ models }: State, router: string): void => {
  for (const { routers } of models.values()) {
    const arms = routers.get(router);
    if (arms === undefined) continue;
    // what it has counted stays known for when it is heard again; what it holds is not known any more
    const kept = [...arms].map(([revision, arm]) => [revision, { ...arm, waiting: 0, inFlight: 0 }] as const);
    routers.set(router, new Map(kept));
  }
};

const drop = (state: State, router: string): void => {
  for (const [key, { routers }] of state.models) {
    routers.delete(router);
    if (routers.size === 0) forget(state, key);
  }
};

const take = (model: Model | undefined): ReadonlyMap<string, Sum> => {
  const sums = new Map<string, Sum>();
  if (model === undefined) return sums;
  for (const [revision, news] of model.news) sums.set(revision, { ...news, waiting: 0, inFlight: 0 });
  for (const arms of model.routers.values())
    for (const [revision, { inFlight, waiting }] of arms) {
      const sum = sums.get(revision) ?? { arrivals: 0, crowd: 0, waiting: 0, inFlight: 0 };
      sums.set(revision, { ...sum, waiting: sum.waiting + waiting, inFlight: sum.inFlight + inFlight });
    }
  model.news.clear();
  return sums;
};
