#!/usr/bin/env bash
# Debian packages, by name; without a name, everything that the tests need.
# Root: installs what is missing, starting no service. Anybody else: the one line to type.
set -euo pipefail

declare -A is_there=(
  [postgresql]="compgen -G '/usr/lib/postgresql/*/bin/postgres'"
  [redis-server]="command -v redis-server"
  [coturn]="command -v turnserver"
  [chromium]="command -v chromium"
  [libpango-1.0-0]="compgen -G '/usr/lib/*/libpango-1.0.so.0'"
  [libpangoft2-1.0-0]="compgen -G '/usr/lib/*/libpangoft2-1.0.so.0'"
  [libharfbuzz-subset0]="compgen -G '/usr/lib/*/libharfbuzz-subset.so.0'"
  [fonts-noto-core]="test -e /usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"
  [nodejs]="command -v node"
  [npm]="command -v npm"
  [git]="command -v git"
  [python3-venv]="${PYTHON:-python3} -c 'import ensurepip, venv'"
)

if [ $# -eq 0 ]; then
  set -- "${!is_there[@]}"
fi
missing=()
for package in "$@"; do
  eval "${is_there[$package]}" >/dev/null 2>&1 || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
  exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Missing: ${missing[*]}. On Debian:" >&2
  echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

echo "Installing ${missing[*]}"
# The tests start servers of their own. This file is Debian's way to keep a package from starting
# its service while it is installed; one that is already there is somebody's decision.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi

apt=(apt-get -q -y -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300)
log=$(mktemp)
if ! { "${apt[@]}" update && DEBIAN_FRONTEND=noninteractive \
  "${apt[@]}" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
  tail -n 30 "$log" >&2
  exit 1
fi
rm -f "$log"
