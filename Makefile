# The commands of this repository. `make run` and `make test` are all a newcomer needs.

.PHONY: run build test bench soak fmt docs clean

run: ## build everything, prove this repository with itself, leave the server running
	@scripts/run.sh

build: ## the release binary: target/release/proofhouse
	@scripts/require.sh
	scripts/web.sh
	cargo build --release --locked -p proofhouse-cli

test: ## everything that must hold before a change lands
	@scripts/test.sh

bench: ## every figure beside its target; writes target/bench.json
	@scripts/bench.sh

soak: ## the long variants of the fault tests
	@scripts/soak.sh

fmt: ## rewrite the sources in the house's format
	cargo fmt --all

docs: ## rewrite the generated pages under docs/
	PROOFHOUSE_WRITE_DOCS=1 cargo test --locked -p proofhouse-cli --test it docs::
	scripts/web.sh install && npm --prefix web run --silent schema

clean:
	cargo clean
