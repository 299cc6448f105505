/** What is in the way of a namespace's routers, for the ModelDeployments that wait for them. Pure. */
import { worstOf } from "../../apply/obstacle.ts";
import type { RouterNews } from "../../apply/router-news.ts";
import { type Cause, oneLine } from "../../domain/diagnosis/cause.ts";
import { explain } from "../../domain/diagnosis/explain.ts";
import { refusalOf } from "../../domain/diagnosis/refusal.ts";
import { LEAST_ROUTERS } from "../../domain/traffic/acknowledged.ts";

/** Undefined while nothing is wrong: they are being made, or start. */
export const routerObstacle = ({ deployment, obstacles, pods }: RouterNews, now: number): Cause | undefined => {
  const cause =
    hindrance(obstacles) ??
    explain({
      ...{ deployment, pods, wanted: LEAST_ROUTERS, devices: undefined, lacksClaims: false },
      ...{ mounts: [], rooms: undefined, now },
    });
  return cause && { ...cause, message: oneLine(`the routers of this namespace: ${inRouterWords(cause.message)}`) };
};

const hindrance = (obstacles: RouterNews["obstacles"]): Cause | undefined => {
  const obstacle = worstOf(obstacles);
  switch (obstacle?.kind) {
    case "stranger": {
      const { objects } = obstacle;
      const [belong, them] = objects.length === 1 ? ["belongs", "it"] : ["belong", "them"];
      const message = `${objects.join(" and ")} ${belong} to something else, and Berth needs the name; delete ${them}`;
      return { reason: "NotOwned", message, stalled: true };
    }
    case "refused": {
      const { reason = "WriteRefused", message } = refusalOf(obstacle.message);
      return { reason, message: `the API server refused a write: ${message}`, stalled: obstacle.isHopeless };
    }
    case "unanswered": {
      const message = `the API server has not answered a write: ${refusalOf(obstacle.message).message}`;
      return { reason: "WriteRefused", message, stalled: false };
    }
    default:
      return undefined;
  }
};

/** Routers belong to the whole namespace: what they ask for is a value of the chart, not of a ModelDeployment. */
const inRouterWords = (message: string): string =>
  message
    .replaceAll(/spec\.resources(\.[a-z.-]*[a-z])?/g, (_, field = "") => `router.resources${field} of Berth's chart`)
    .replaceAll("this ModelDeployment's objects", "them")
    // they have one priority and one account, which Berth makes
    .replace(/(a ResourceQuota with that scope in this namespace), or change \S+/, "$1")
    .replace(/; create ServiceAccount \S+, or correct \S+/, "");
