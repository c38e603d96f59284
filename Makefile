# Habits; all build logic is in CMake, all test logic in tests/.
.PHONY: all demo check check-all lint fuzz bench install clean

all:
	tests/support/packages.sh build
	cmake --preset release --log-level=WARNING
	cmake --build --preset release

# SIZE= members of the list, REPLIERS= people who answer all, STORE=redis two MTAs that share a Redis
demo: all
	tests/support/packages.sh postfix $(filter redis,$(STORE))
	/usr/bin/python3 -B tests/demo/demo.py

check:
	tests/run all

# and what takes long: a hold queue of 100,000 messages; the tree on Debian 13 (gcc 14, hiredis 1.x with TLS, Redis 8, Valkey 8) in a chroot
check-all: check
	BW_HELD_MESSAGES=100000 tests/run scale
	tests/support/debian13.sh

lint:
	tests/run lint

fuzz:
	tests/run fuzz

# BENCH= options and sections, e.g. BENCH="--quick ordinary"; a peer that cannot be had is named in the table
bench: all
	cmake --build --preset release --target bench-programs
	tests/support/packages.sh postfix redis
	-tests/support/packages.sh rspamd
	-tests/support/packages.sh postfwd
	/usr/bin/python3 -B tests/bench/bench.py $(BENCH)

install:
	cmake --install build/release

clean:
	rm -rf build
