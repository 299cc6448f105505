#!/bin/bash
# Builds the Dockerfile with buildah, without a daemon, on a base made of our own base layer, and compares
# /app and /usr/lib/locale (names, modes, owners, contents), user, entry point and environment with `npm run build:images`.
# Needs root, buildah, and the packages of the lock file in npm's cache or its registry.
# Usage: build/images/prove-dockerfile.sh   (from anywhere)
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/node_modules/.bin:$PATH
work=$(mktemp -d /var/tmp/berth-dockerfile.XXXXXX)
store=(--root "$work/root" --runroot "$work/run" --storage-driver vfs)
trap 'rm -rf --one-file-system "$work"' EXIT
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$work/policy.json"
policy=(--signature-policy "$work/policy.json")

node build/images/main.ts --only operator,runtime

# The stage `packages`, done here: our base has no npm, and a build in a chroot has no network of its own.
mkdir -p "$work/packages/src"
cp package.json package-lock.json .npmrc "$work/packages/src/"
(cd "$work/packages/src" && npm install --omit=dev --omit=optional --prefer-offline --loglevel=error >/dev/null)
bundler=$(node -p 'require("./package.json").devDependencies.esbuild')
npm install --prefix "$work/packages/bundler" --ignore-scripts --prefer-offline --loglevel=error "esbuild@$bundler" >/dev/null

for target in operator runtime; do
  buildah "${store[@]}" pull -q "${policy[@]}" "oci-archive:out/images/berth-$target.tar" >"$work/$target.id"
  ours=$(<"$work/$target.id")
  # Its files, /app aside, are the base; that the Dockerfile sets everything else is part of the proof.
  base=$(buildah "${store[@]}" from "${policy[@]}" --pull-never "$ours")
  rm -rf "$(buildah "${store[@]}" mount "$base")/app"
  buildah "${store[@]}" umount "$base" >/dev/null
  buildah "${store[@]}" config --user root --entrypoint '[]' --workingdir / --env NODE_ENV- --env NODE_USE_SYSTEM_CA- \
    --env SSL_CERT_FILE- --env ORT_DISABLE_TELEMETRY- "$base"
  buildah "${store[@]}" commit -q "${policy[@]}" --rm "$base" "localhost/base-$target" >/dev/null

  buildah "${store[@]}" bud -q "${policy[@]}" --isolation chroot --pull-never --build-arg "BASE=localhost/base-$target" \
    --build-context "packages=$work/packages" --target "$target" -t "localhost/docker-$target" . >/dev/null

  for side in "ours $ours" "docker localhost/docker-$target"; do
    read -r name image <<<"$side"
    container=$(buildah "${store[@]}" from "${policy[@]}" --pull-never "$image")
    root=$(buildah "${store[@]}" mount "$container")
    (cd "$root" && find app usr/lib/locale -printf '%y %m %U:%G %p\n' | sort && find app usr/lib/locale -type f -print0 | sort -z | xargs -0 sha256sum) >"$work/$target.$name"
    buildah "${store[@]}" inspect --type image "$image" |
      node -e 'const {config}=JSON.parse(require("fs").readFileSync(0)).OCIv1;console.log(JSON.stringify([config.User,config.Entrypoint,config.Cmd??[],config.WorkingDir,config.Env.toSorted()],null,1))' >>"$work/$target.$name"
    buildah "${store[@]}" rm "$container" >/dev/null
  done
  diff "$work/$target.ours" "$work/$target.docker" || { echo "the Dockerfile's $target differs: < ours, > Dockerfile" >&2; exit 1; }
  echo "$target: $(grep -c '^f ' "$work/$target.ours") files, user, entry point and environment are the same"
done
