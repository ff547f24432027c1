#!/bin/sh
# Makes the Python environment that the proto contract is held against, and prints the path of its interpreter.
# Versions are pinned: envoy-data-plane has is_negative_hits, xds-protos has real descriptors for all the rest.
set -eu

packages='envoy-data-plane==2.2.0 xds-protos==1.85.0 grpcio-health-checking==1.85.1'
venv="${XDG_CACHE_HOME:-$HOME/.cache}/weir/venv-protos"
done="$venv/$(echo "$packages" | tr ' =' '__')"

if [ ! -e "$done" ]; then
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv" >&2
  # shellcheck disable=SC2086
  "$venv/bin/pip" install --quiet --disable-pip-version-check $packages >&2
  touch "$done"
fi
echo "$venv/bin/python"
