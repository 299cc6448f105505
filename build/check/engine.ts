/**
 * The Kubernetes engine serves any operator: it knows no kind, label or idea of Berth, in code, texts and comments alike. Imports are
 * held by arrows.ts; words are held here. The prefix of its metrics and its field managers are names, and allowed.
 */
const ENGINE = "operator/platform/";

const IDEAS =
  /ModelDeployment|ModelRollout|\b(?:mdeploy|autoscal(?:er|ing)|berth_scaling\w*|canary|(?<!kubectl )rollouts?|scaling)\b/i;

/** One line for each line of the engine that names an idea of Berth, as `file:line: what to do`; tests may have examples of it. */
export const ideasInEngine = (file: string, source: string): string[] =>
  !file.startsWith(ENGINE) || file.endsWith(".test.ts")
    ? []
    : source.split("\n").flatMap((line, i) => {
        const [idea] = IDEAS.exec(line) ?? [];
        return idea === undefined
          ? []
          : [`${file}:${i + 1}: "${idea}" is an idea of Berth, which ${ENGINE} does not know: move it up`];
      });
