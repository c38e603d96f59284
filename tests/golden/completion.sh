#!/bin/bash
# completion.sh BREAKWATERCTL: loads the generated bash completion and asks it as the shell would.
set -u
ctl=$1
failed=0
script=$("$ctl" completion bash) || exit 1
eval "$script" || exit 1

# complete_line "typed words" -> COMPREPLY; a trailing blank begins a new word
complete_line() {
	read -ra COMP_WORDS <<<"$1"
	[[ $1 == *' ' ]] && COMP_WORDS+=("")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMPREPLY=()
	_breakwaterctl
}

expect() {
	complete_line "$1"
	local got="${COMPREPLY[*]}"
	if [[ $got != "$2" ]]; then
		printf 'completing "%s": got "%s", expected "%s"\n' "$1" "$got" "$2"
		failed=1
	fi
}

expect_among() {
	complete_line "$1"
	if [[ " ${COMPREPLY[*]} " != *" $2 "* ]]; then
		printf 'completing "%s": "%s" is not among "%s"\n' "$1" "$2" "${COMPREPLY[*]}"
		failed=1
	fi
}

expect "breakwaterctl stat" "status"
expect "breakwaterctl list st" "stop"
expect "breakwaterctl -c /etc/breakwater.conf list res" "resume"
expect "breakwaterctl --json mode e" "enforce"
expect "breakwaterctl list stop x@y --rea" "--reason"
expect "breakwaterctl held release --yes --forc" "--force"
expect "breakwaterctl list stop --for 4" ""
expect "breakwaterctl set huge.conversation.sen" "huge.conversation.senders"
expect "breakwaterctl set huge.conversation.senders 3 " ""
expect_among "breakwaterctl " "breaker"
expect_among "breakwaterctl breaker " "disable"
expect_among "breakwaterctl completion " "zsh"
expect_among "breakwaterctl help " "simulate"
exit $failed
