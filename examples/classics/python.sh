#!/bin/sh
# Runs Python with what the examples need, in an environment that is made the first time: python.sh FILE...
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-$here/.venv}

if [ ! -d "$venv" ]; then
  # Made beside its place, so that nobody finds half of it.
  made=$venv.$$
  trap 'rm -rf "$made"' EXIT
  trap 'exit 1' INT TERM
  python3 -m venv "$made"
  (cd "$here" && "$made/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt)
  [ -d "$venv" ] || mv "$made" "$venv"
  rm -rf "$made"
  trap - EXIT INT TERM
fi
exec "$venv/bin/python" "$@"
