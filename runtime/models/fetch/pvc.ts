import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { Failure } from "../../errors/termination.ts";
import type { Source } from "./source.ts";

/** A file of the claim that is mounted at `directory`. Links may point within the claim, not out of it. `shown`: the URI. */
export const pvcSource = (shown: string, path: string, directory: string): Source => {
  return async () => {
    try {
      const root = await realpath(directory);
      const file = await realpath(join(root, path));
      if (!file.startsWith(root + sep))
        throw new Failure(
          "ModelUriInvalid",
          `${shown} is a link that leads out of the claim; put the file itself there`,
        );
      const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const stats = await handle.stat();
      if (!stats.isFile()) {
        await handle.close();
        throw new Failure("ModelUriInvalid", `${shown} is not a regular file`);
      }
      const body = handle.createReadStream({ highWaterMark: 1024 ** 2 });
      const discard = async (): Promise<void> => void body.destroy();
      return { shown, offset: 0, total: stats.size, hasEnd: true, validator: undefined, body, discard };
    } catch (error) {
      throw describeFileError(shown, error);
    }
  };
};

const describeFileError = (shown: string, error: unknown): Failure => {
  if (error instanceof Failure) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  if (code === "ENOENT" || code === "ENOTDIR")
    return new Failure("ModelNotFound", `${shown}: there is no such file in the claim`);
  if (code === "EACCES" || code === "EPERM")
    return new Failure("ModelForbidden", `${shown} cannot be read: permission denied; give its group read access`);
  return new Failure("ModelUnreachable", `${shown} cannot be read (${code})`);
};
