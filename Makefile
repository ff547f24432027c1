# weir: what can be made here. `make` and `make help` print the lines that start with two hashes.
.POSIX:
.PHONY: help run test check dev try bench bench-peers bench-starts soak tables clean build deps node

RULES = examples

help:
	@echo 'usage: make TARGET'
	@sed -n 's/^## //p' Makefile

## run     build, and serve the rules in examples/ (RULES=PATH for others); REDIS_URL=127.0.0.1:6379 counts in Redis
run: build
	@exec node dist/main.js serve --rules '$(RULES)'

## test    install what the tests need and run all of them; WITHOUT_REDIS=1, WITHOUT_ENVOY=1, WITHOUT_PROMETHEUS=1, REQUIRE_ALL=1, ONLY=suite,suite
test: deps
	@exec node --import=tsx test/run/main.ts

## check   types, lint, and the tests that need no server
check: deps
	@exec node --import=tsx test/run/main.ts check

## dev     serve the examples from source, and start again at every change
dev: deps
	@exec node_modules/.bin/tsx watch src/main.ts serve --rules '$(RULES)'

## try     start weir on free ports, send 11 calls against 10 a minute, show the 11th refused
try: build
	@exec node --import=tsx test/support/try.ts

## bench   CPU microseconds per decision, beside a bare gRPC echo
bench: build
	@exec node --import=tsx test/run/main.ts bench

## bench-peers  weir beside the Go service: CPU, decisions a second, latency; ROUNDS=1 MEASURE_SECONDS=1 ONLY=hot-1-allowed for less
bench-peers: build
	@exec node --import=tsx test/bench/peers/main.ts

## bench-starts  CPU per call of ten fresh processes, to see whether some start slower than others; STARTS=n for others
bench-starts: build
	@exec node --import=tsx test/bench/starts.ts

## soak    the long tests: fuzzing, memory under unique keys and 10 million calls, faults of Redis at full size
soak: build
	@exec node --import=tsx test/run/main.ts soak

## tables  write the generated tables of README.md anew
tables: deps
	@exec node --import=tsx test/house/tables.ts --write

## clean   remove what was built
clean:
	rm -rf dist coverage

build: deps
	@npm run --silent build

# The lock file that node_modules was made from lies beside it: contents are compared, since a checkout moves times.
deps: node
	@cmp -s package-lock.json node_modules/.weir-lock || { npm ci --no-audit && cp package-lock.json node_modules/.weir-lock; }

node:
	@command -v node >/dev/null 2>&1 || { echo 'weir needs Node.js 20.19 or newer, and there is no node on the PATH: see https://nodejs.org/en/download' >&2; exit 1; }
	@command -v npm >/dev/null 2>&1 || { echo 'weir needs npm (it comes with Node.js), and there is no npm on the PATH' >&2; exit 1; }
	@node -e 'const v = process.versions.node, [a, b] = v.split(".").map(Number); if (a < 20 || (a === 20 && b < 19)) { console.error("weir needs Node.js 20.19 or newer, and this is " + v + ": see https://nodejs.org/en/download"); process.exit(1); }'
