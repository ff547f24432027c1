# weir: what can be made here. `make` and `make help` print the lines that start with two hashes.
.POSIX:
.PHONY: help run test check dev try demo bench bench-peers bench-starts bench-workers soak tables sbom clean build deps node

RULES = examples/rules

help:
	@echo 'usage: make TARGET'
	@sed -n 's/^## //p' Makefile

## run     build, and serve examples/rules (RULES=PATH for others); REDIS_URL=127.0.0.1:6379 counts in Redis
run: build
	@exec node dist/main.js serve --rules '$(RULES)'

## test    install what the tests need and run all of them; WITHOUT_REDIS=1, WITHOUT_ENVOY=1, WITHOUT_PROMETHEUS=1, REQUIRE_ALL=1, ONLY=suite,suite
test: deps
	@exec node --import=tsx test/run/main.ts

## check   types, lint, and the tests that need no server
check: deps
	@exec node --import=tsx test/run/main.ts check

## dev     serve examples/rules from source, and start again at every change
dev: deps
	@exec node_modules/.bin/tsx watch src/main.ts serve --rules '$(RULES)'

## try     start weir on free ports, send 11 calls against 10 a minute, show the 11th refused
try: build
	@exec node --import=tsx test/support/try.ts

## demo    Redis, weir, Envoy, an application, Prometheus and traffic on free ports, until Ctrl-C
demo: build
	@exec node --import=tsx test/demo/main.ts

## bench   CPU microseconds per decision, beside a bare gRPC echo
bench: build
	@exec node --import=tsx test/run/main.ts bench

## bench-peers  weir beside the Go service: CPU, decisions a second, latency; ROUNDS=1 MEASURE_SECONDS=1 ONLY=hot-1-allowed for less
bench-peers: build
	@exec node --import=tsx test/bench/peers/main.ts

## bench-starts  CPU per call of ten fresh processes, to see whether some start slower than others; STARTS=n for others
bench-starts: build
	@exec node --import=tsx test/bench/starts.ts

## bench-workers  decisions a second with WORKERS=1 and 2, and whether they stay exact
bench-workers: build
	@exec node --import=tsx test/bench/only-workers.ts

## soak    the long tests: fuzzing, memory under unique keys and 10 million calls, faults of Redis at full size
soak: build
	@exec node --import=tsx test/run/main.ts soak

## tables  write the tables and pictures of docs/ anew
tables: deps
	@exec node --import=tsx test/house/tables.ts --write

## sbom    print the bill of materials of what is installed to run weir, as CycloneDX
sbom: deps
	@exec node --import=tsx test/run/sbom.ts

## clean   remove what was built
clean:
	rm -rf dist .dist-* coverage

build: deps
	@npm run --silent build

# The lock file that node_modules was made from lies beside it: contents are compared, since a checkout moves times.
# What npm says goes to stderr: `make sbom > FILE` is for the bill alone.
deps: node
	@cmp -s package-lock.json node_modules/.weir-lock || { npm ci --no-audit >&2 && cp package-lock.json node_modules/.weir-lock; }

node:
	@command -v node >/dev/null 2>&1 || { echo 'weir needs Node.js 20.19 or newer, and there is no node on the PATH: see https://nodejs.org/en/download' >&2; exit 1; }
	@command -v npm >/dev/null 2>&1 || { echo 'weir needs npm (it comes with Node.js), and there is no npm on the PATH' >&2; exit 1; }
	@node -e 'const v = process.versions.node, [a, b] = v.split(".").map(Number); if (a < 20 || (a === 20 && b < 19)) { console.error("weir needs Node.js 20.19 or newer, and this is " + v + ": see https://nodejs.org/en/download"); process.exit(1); }'
