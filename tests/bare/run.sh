#!/usr/bin/env bash
# Proves that ./dev needs nothing but a Debian 12 with git: makes a fresh one, clones this repository's HEAD into
# it, and there runs ./dev run with a round trip of the Mosquitto clients, then ./dev test.
# Needs root, debootstrap, 6 GiB of disk and ten minutes or more. With arguments, runs ./dev with those instead:
# tests/bare/run.sh build nightjar
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
REPOSITORY=$PWD
LOGS=$REPOSITORY/build/logs
source tools/steps.sh
PORT=${NIGHTJAR_BARE_PORT:-21883}  # the fresh Debian shares the network of this machine, where 1883 may be taken
START_SECONDS_MAX=1800             # ./dev run installs and compiles before it listens

# Mounts and processes end with this process: it runs in name spaces of its own.
if [[ -z ${NIGHTJAR_BARE_INSIDE-} ]]; then
  ((EUID == 0)) || { echo "tests/bare/run.sh needs root" >&2; exit 1; }
  ROOT=$(mktemp -d "${TMPDIR:-/var/tmp}/nightjar-bare.XXXXXX")
  export ROOT NIGHTJAR_BARE_INSIDE=1
  trap 'rm -rf --one-file-system "$ROOT"' EXIT
  unshare --mount --pid --fork --kill-child "$0" "$@"
  exit
fi

# The first Debian mirror among this machine's package sources, in either of their two formats.
mirror() {
  local found
  found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    awk '/^#/ { next }
         /^URIs:/ { uri = $2 }
         /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z]+:\/\//) uri = $i }
         uri ~ /\/debian\/?$/ { print uri; exit }')
  echo "${found:-http://deb.debian.org/debian}"
}

# This machine's way to the network, which a fresh system of its owner would have as well: names, proxy settings
# of apt, certificates the owner trusts. No package and no source of packages but Debian's own.
network_settings() {
  local file
  cp -L /etc/resolv.conf /etc/hosts "$ROOT/etc/"
  for file in /etc/apt/apt.conf.d/*; do
    if grep -q '^ *Acquire::' "$file" 2>/dev/null; then cp "$file" "$ROOT/etc/apt/apt.conf.d/"; fi
  done
  mkdir -p "$ROOT/usr/local/share/ca-certificates"
  cp -r /usr/local/share/ca-certificates/. "$ROOT/usr/local/share/ca-certificates/"
}

fresh_debian() {
  local from
  from=$(mirror)
  debootstrap --variant=minbase --include=git bookworm "$ROOT" "$from" >"$LOGS/debootstrap.log"
  chmod 755 "$ROOT"  # mktemp's 700 would keep every user but root out of the whole system
  cat >"$ROOT/etc/apt/sources.list" <<END
deb $from bookworm main
deb $from bookworm-updates main
deb ${from%/debian*}/debian-security bookworm-security main
END
  network_settings
  mount -t proc proc "$ROOT/proc"
  mount --rbind /dev "$ROOT/dev"
  mount -t tmpfs tmpfs "$ROOT/tmp"
  git clone -q --no-local "$REPOSITORY" "$ROOT/nightjar"
  echo "1 passed, 0 failed"
}

# Becomes a command in the clone, with the environment of a fresh login.
enter() {
  local settings=(HOME=/root USER=root SHELL=/bin/bash LANG=C.UTF-8)
  settings+=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  # npm does not read the system's certificates by itself.
  if [[ -n $(ls -A /usr/local/share/ca-certificates) ]]; then
    settings+=(npm_config_cafile=/etc/ssl/certs/ca-certificates.crt)
  fi
  exec chroot "$ROOT" /usr/bin/env -i "${settings[@]}" /bin/bash -c 'cd /nightjar && exec "$@"' enter "$@"
}

inside() { (enter "$@"); }

# Waits until the broker accepts connections, or has ended.
await_port() {
  local until=$((SECONDS + START_SECONDS_MAX))
  while ((SECONDS < until)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then return 0; fi
    kill -0 "$1" 2>/dev/null || return 1
    sleep 1
  done
  return 1
}

# ./dev run, and one message from a publisher to a subscriber, both of the fresh system.
round_trip() {
  local broker got
  (enter ./dev run -p "$PORT") &  # ./dev becomes the broker, so this is the broker's process
  broker=$!
  await_port "$broker" || { echo "./dev run does not listen on port $PORT"; return 1; }
  inside apt-get install -qy --no-install-recommends mosquitto-clients >/dev/null
  # Retained, so that it does not matter which of the two comes first.
  inside mosquitto_pub -p "$PORT" -V 5 -q 1 -r -t bare/greeting -m 'hello from a bare machine'
  got=$(inside mosquitto_sub -p "$PORT" -V 311 -q 1 -t 'bare/#' -C 1 -W 30) || true
  echo "received: $got"
  kill -TERM "$broker"
  wait "$broker" || { echo "the broker ended with status $?"; return 1; }
  [[ $got == 'hello from a bare machine' ]] && echo "1 passed, 0 failed"
}

command_inside() { inside ./dev "$@" && echo "1 passed, 0 failed"; }

step bare-debian fresh_debian
if (($#)); then
  step "bare-$1" command_inside "$@"
else
  step bare-run round_trip
  step bare-test inside ./dev test
fi
summary
