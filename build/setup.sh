#!/bin/bash
# Makes a fresh machine ready, then runs the command that follows: bash build/setup.sh packages|system COMMAND ARGS...
# packages: what npm brings, Node 24 among it. system: Debian's packages for the dev cluster as well.
# Shell only, because on a fresh clone neither node_modules nor a Node that runs .ts files is there yet.
# It says what it installs and why, on standard error, and nothing when there is nothing to do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Debian's `su` leaves these out, and nft, ip and iptables are there.
export PATH="$PWD/node_modules/.bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"

needs=$1
shift

say() { echo "setup: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# ---- npm packages, Node 24 among them ------------------------------------------------------------------------------
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "npm install: the packages of package-lock.json, and Node 24, which runs TypeScript as it is"
  # Not `npm ci`: it refuses a lock file that leaves out optional packages of other platforms, which a registry may not
  # have. This takes the same versions and leaves the lock file as it is.
  npm install --no-save --no-progress --loglevel=error >&2
  touch node_modules/.package-lock.json
fi
major=$(node --version 2>/dev/null | sed -E 's/^v([0-9]+).*/\1/')
[ "${major:-0}" -ge 24 ] || die "Node 24 or newer is needed (here: ${major:-none}): no Node for this platform comes from npm, install it"

# ---- programs of the system ----------------------------------------------------------------------------------------
# With a cluster that a kubeconfig names, no cluster runs on this machine.
external=${BERTH_KUBECONFIG:-}
for argument in "$@"; do
  case $argument in --kubeconfig | --kubeconfig=*) external=$argument ;; esac
done

[ "$needs" = system ] || exec "$@"

missing=() # Debian packages
programs=() # what is missed, for other distributions
need() { # PACKAGE PROGRAM-OR-FILE
  if [[ $2 == /* ]]; then [ -e "$2" ] && return; else command -v "$2" >/dev/null && return; fi
  missing+=("$1")
  programs+=("$2")
}
need openssl openssl
if [ -z "$external" ]; then
  need umoci umoci
  need containerd containerd
  need runc runc
  [ -e /opt/cni/bin/bridge ] || need containernetworking-plugins /usr/lib/cni/bridge
  need nftables nft
  need iptables iptables
  need iproute2 ip
  # Pods run it without any library beside it.
  if [ ! -x /bin/busybox ] || ldd /bin/busybox >/dev/null 2>&1; then
    missing+=(busybox-static)
    programs+=("a static /bin/busybox")
  fi
fi

if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || die "these programs are missing, please install them: ${programs[*]}"
  [ "$(id -u)" = 0 ] || die "these packages are missing: ${missing[*]}. Run this as root, or: apt-get install --no-install-recommends ${missing[*]}"
  say "apt-get install ${missing[*]}: containers, networks and images of the dev cluster (about 45 MB to download)"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  if ! { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "apt-get failed; all it said is in $log"
  fi
  rm -f "$log"
fi

exec "$@"
