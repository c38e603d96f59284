# Habits; all build logic is in CMake, all test logic in tests/.
.PHONY: all demo check lint fuzz install clean

all:
	tests/support/packages.sh build
	cmake --preset release --log-level=WARNING
	cmake --build --preset release

# SIZE= members of the list, REPLIERS= people who answer all
demo: all
	tests/support/packages.sh postfix
	/usr/bin/python3 -B tests/demo/demo.py

check:
	tests/run all

lint:
	tests/run lint

fuzz:
	tests/run fuzz

install:
	cmake --install build/release

clean:
	rm -rf build
