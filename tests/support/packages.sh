#!/bin/sh
# packages.sh: what breakwater needs of Debian, and how it gets there.
#
#   packages.sh [--list] SET...
#
#   compile   a compiler, libraries and tools: installed with apt-get
#   build     the same, with clang and the analysers
#   chroot    debootstrap: installed as well (tests/support/debian13.sh)
#   postfix   \
#   redis      > programs of the tests: downloaded and unpacked into the cache, never installed; their maintainer
#   sendmail  |  scripts do not run, no service is started, the host's MTA stays as it is
#   slapd     |
#   mailman   |
#   valkey   /
#   rspamd, postfwd: the same, for the bench alone: others that limit mail, to be measured beside breakwater
#
# What is missing is shown first, and installed after a yes; YES=1 or CI in the environment is the yes of scripts.
# sudo is used for apt-get alone, and only by who is not root. With everything in place nothing is asked, downloaded
# or printed, so callers run it every time.
#
# BW_UNPACKED: the cache (default build/unpacked beside the build trees). Exit 0: all in place; 1: not.
#
# Why unpack: installing Postfix or Sendmail removes the MTA a host has (both provide mail-transport-agent).
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
cache=${BW_UNPACKED:-$root/build/unpacked}
list_only=no

packages_of()
{
	case $1 in
	compile)
		echo build-essential cmake ninja-build pkg-config libmilter-dev libhiredis-dev libssl-dev libconfig-dev libgmime-3.0-dev \
			libidn2-dev libsqlite3-dev libjansson-dev libsodium-dev libzstd-dev libcurl4-openssl-dev libldap-dev \
			libcmocka-dev miltertest openssl scdoc python3 sqlite3 universal-ctags ;;
	build)    echo $(packages_of compile) clang libclang-rt-14-dev clang-tidy clang-format cppcheck ;;
	chroot)   echo debootstrap ;;
	postfix)  echo postfix ;;
	redis)    echo redis-server redis-tools ;;
	sendmail) echo sendmail-bin sendmail-base sendmail-cf m4 ;;
	slapd)    echo slapd ;;
	mailman)  echo mailman3 ;;
	valkey)   echo valkey-server valkey-tools ;;
	rspamd)   echo rspamd ;;
	postfwd)  echo postfwd libnet-server-perl libnet-cidr-lite-perl libnet-dns-perl libnetaddr-ip-perl libdigest-hmac-perl libio-multiplex-perl ;;
	*)        echo "packages.sh: unknown set '$1' (compile, build, chroot, postfix, redis, sendmail, slapd, mailman, valkey, rspamd, postfwd)" >&2; return 1 ;;
	esac
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# A fresh Debian image has no package lists at all; elsewhere they may be too old for the mirror.
lists_known()
{
	for package; do
		apt-cache show "$package" >/dev/null 2>&1 || return 1
	done
}

update_lists()
{
	echo "packages.sh: apt-get update" >&2
	as_root apt-get -qq -o Acquire::Retries=3 update
}

agreed()
{
	[ "${YES:-}" = 1 ] || [ -n "${CI:-}" ] && return 0
	[ -t 0 ] || { echo "packages.sh: nobody to ask; YES=1 in the environment says yes" >&2; return 1; }
	printf '%s [y/N] ' "$1" >&2
	read -r answer
	case $answer in [yY]*) return 0 ;; *) return 1 ;; esac
}

# What dpkg tells of each package is of no interest; what goes wrong comes on stderr.
apt_install()
{
	echo "packages.sh: installing" >&2
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
		install -y --no-install-recommends "$@" >/dev/null
}

install_set()
{
	missing=
	for package in $(packages_of "$1"); do
		installed "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	echo "to be installed on this host:$missing" >&2
	[ $list_only = no ] || return 0
	agreed "Install them with apt-get?" || return 1
	lists_known $missing || update_lists
	# A second try with fresh lists: the first may have asked the mirror for versions that it no longer has.
	apt_install $missing || { update_lists && apt_install $missing; }
}

# The shared libraries that the packages need and the host has not: the lib* packages among their dependencies. Mailman's
# are modules of Python as well.
libraries_of()
{
	case $1 in mailman3) kinds='^(lib|python3-)' ;; *) kinds='^lib' ;; esac
	apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@" |
	grep -E "$kinds" | grep -v -- '-perl$' | sort -u |
	while read -r package; do
		installed "$package" || echo "$package"
	done
}

download_and_unpack()
{
	set_name=$1
	work=$cache/.$set_name.$$
	shift
	rm -rf "$work"
	mkdir -p "$work/debs" "$work/root"
	# APT's sandbox user could not write here, and need not exist in a container.
	(cd "$work/debs" && apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 download "$@" $(libraries_of "$@") >&2) || {
		rm -rf "$work"
		return 1
	}
	for deb in "$work"/debs/*.deb; do
		dpkg -x "$deb" "$work/root"
	done
	rm -rf "$work/debs"
	# Whoever the MTA drops its privileges to must be able to pass.
	chmod 755 "$work" "$work/root"
	(cd "$work/root" && find . -type f '(' -path '*bin/*' -o -path '*/libexec/*' ')' -perm -100 | sort) >"$work/programs"
	complete "$work" || { rm -rf "$work"; return 1; }
	rm -rf "${cache:?}/$set_name"
	mv "$work" "$cache/$set_name"
}

# ldd of each program must find all libraries, on the host or in the cache.
complete()
{
	paths=$1/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
	paths=$paths:$1/root/usr/lib/postfix:$1/root/usr/lib/sm.bin:$1/root/usr/lib/rspamd
	lost=$(while read -r program; do
		LD_LIBRARY_PATH=$paths ldd "$1/root/$program" 2>/dev/null
	done <"$1/programs" | grep 'not found' | sort -u)
	[ -z "$lost" ] || { echo "packages.sh: libraries missing after unpacking: $lost" >&2; return 1; }
}

unpack()
{
	packages=$(packages_of "$1")
	[ -f "$cache/$1/programs" ] && return 0
	echo "to be downloaded and unpacked into $cache/$1, not installed: $packages, with the libraries this host lacks" >&2
	[ $list_only = no ] || return 0
	agreed "Download them?" || return 1
	mkdir -p "$cache"
	lists_known $packages || update_lists
	download_and_unpack "$1" $packages || { update_lists && download_and_unpack "$1" $packages; }
}

[ "${1:-}" != --list ] || { list_only=yes; shift; }
[ $# -gt 0 ] || { echo "usage: packages.sh [--list] compile|build|chroot|postfix|redis|sendmail|slapd|mailman|valkey|rspamd|postfwd ..." >&2; exit 2; }
for name; do
	packages_of "$name" >/dev/null
done
for name; do
	case $name in
	compile|build|chroot) install_set "$name" ;;
	*)                    unpack "$name" ;;
	esac || { echo "packages.sh: set '$name' is not in place" >&2; exit 1; }
done
