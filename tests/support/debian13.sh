#!/bin/sh
# debian13.sh: the tree on Debian 13, in a chroot of its own: its gcc (warnings are errors), hiredis 1.x, Redis 8 and Valkey 8.
#
#   debian13.sh [DIRECTORY]     where the chroot is, or is to be made; default build/debian13. It is kept, so the next run is short.
#
# Runs ctest with Redis, then what depends on the server once more with Valkey, then the protocol tests of the shared store with both.
# Needs root (asks sudo) and 2 GiB; downloads from Debian only. Mounts are private to this process and gone with it. The tree is copied
# in, so the chroot never writes to it. The last line is `N passed, N failed`; exit 0: none failed.
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
chroot=${1:-$root/build/debian13}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

if [ "$(id -u)" -ne 0 ]; then
	exec sudo env YES="${YES:-}" CI="${CI:-}" DEBIAN_MIRROR="$mirror" "$0" "$@"
fi
if [ -z "${BW_DEBIAN13:-}" ]; then
	"$root/tests/support/packages.sh" chroot
	BW_DEBIAN13=inside exec unshare --mount --pid --fork --kill-child "$0" "$@"
fi

# --- the chroot ---

inside()
{
	chroot "$chroot" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 CI=1 BW_UNPACKED="$unpacked" BW_BUILD=/build "$@"
}

mount --make-rprivate /
if [ ! -f "$chroot/made" ]; then
	mkdir -p "$chroot"
	debootstrap --variant=minbase trixie "$chroot" "$mirror"
	: >"$chroot/made"
fi
mount -t proc proc "$chroot/proc"
mount -t tmpfs tmpfs "$chroot/dev/shm"
mount -t tmpfs tmpfs "$chroot/tmp"
cp /etc/resolv.conf "$chroot/etc/resolv.conf"

# Not a path that anything in the tree mentions: a lint looks for builders' own.
local=/usr/local
tree=$local/src/breakwater
unpacked=/unpacked
rm -rf "${chroot:?}$tree"
mkdir -p "$chroot$tree"
tar -C "$root" --exclude=./build --exclude=./.git -cf - . | tar -C "$chroot$tree" --no-same-owner -xf -
inside sh "$tree/tests/support/packages.sh" compile redis valkey

# Valkey as the tests look for Redis.
mkdir -p "$chroot/valkey/redis"
ln -sfn "$unpacked/valkey/root" "$chroot/valkey/redis/root"
ln -sfn valkey-server "$chroot$unpacked/valkey/root/usr/bin/redis-server"
ln -sfn valkey-cli "$chroot$unpacked/valkey/root/usr/bin/redis-cli"

# --- build and test ---

inside cmake -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -S "$tree" -B /build --log-level=WARNING
inside ninja -C /build --quiet
inside sh -c 'gcc --version | head -1; pkg-config --print-provides hiredis hiredis_ssl
	for server in redis valkey; do
		LD_LIBRARY_PATH=/unpacked/$server/root/usr/lib/$(gcc -print-multiarch) /unpacked/$server/root/usr/bin/$server-server --version
	done'

passed=0
failed=0
note()
{
	passed=$((passed + $1))
	failed=$((failed + $2))
}

# ctest's own sums: "98% tests passed, 3 tests failed out of 150".
run_ctest()
{
	inside ctest --test-dir /build -j2 --timeout 300 --output-on-failure "$@" | tee "$chroot/ctest.log" || true
	sums=$(sed -n 's/.*tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' "$chroot/ctest.log")
	[ -n "$sums" ] || sums="1 1"
	note $((${sums#* } - ${sums% *})) "${sums% *}"
}

# unit.py's: "protocol: 12 passed, 0 failed".
run_protocol()
{
	inside sh -c "cd $tree && /usr/bin/python3 -B tests/support/unit.py /tmp/report protocol shared redis_faults redis_tls" | tee "$chroot/protocol.log" || true
	sums=$(sed -n 's/^protocol: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$chroot/protocol.log")
	[ -n "$sums" ] || sums="0 1"
	note $sums
}

echo "== Redis"
run_ctest
run_protocol
echo "== Valkey"
unpacked=/valkey
run_ctest -R 'redis|shared|differential'
run_protocol
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
