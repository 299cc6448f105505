/** Counts as Prometheus wants them: whoever counts does so in plain numbers, and pays for no metric while nobody scrapes. */
import { AggregatorRegistry } from "prom-client";

export type Labels = Record<string, string | number>;
export type Value = { value: number; labels: Labels; metricName?: string };
export type Metric = {
  name: string;
  help: string;
  type: "counter" | "gauge" | "histogram";
  values: Value[];
  aggregator: "sum";
};

export const metric = (type: Metric["type"], name: string, help: string, values: Value[]): Metric => ({
  name,
  help,
  type,
  values,
  aggregator: "sum",
});
export const single = (
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: number,
  labels: Labels = {},
): Metric => metric(type, name, help, [{ value, labels }]);

/** `counts`: one for each upper bound (in seconds) and one for what is above. Prometheus adds them up from the left. */
export const histogram = (
  name: string,
  help: string,
  series: { bounds: readonly number[]; counts: readonly number[]; sum: number; labels: Labels }[],
): Metric =>
  metric(
    "histogram",
    name,
    help,
    series.flatMap(({ bounds, counts, sum, labels }) => {
      let total = 0;
      const buckets = counts.map((count, i) => {
        total += count;
        return { value: total, labels: { ...labels, le: bounds[i] ?? "+Inf" }, metricName: `${name}_bucket` };
      });
      return [
        ...buckets,
        { value: sum, labels, metricName: `${name}_sum` },
        { value: total, labels, metricName: `${name}_count` },
      ];
    }),
  );

/** The text of /metrics. */
export const render = (metrics: readonly Metric[]): Promise<string> =>
  AggregatorRegistry.aggregate([[...metrics]]).metrics();
