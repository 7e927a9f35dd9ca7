#!/bin/sh
# A worker in POSIX sh (docs/worker-protocol.md): fairforge run --dataset tests.jsonl --worker 'sh examples/workers/echo.sh'
#
# A turn's line begins with its type and its id, so sed finds both. Text that stands in JSON quotes is passed on as it is, escapes and all: what comes
# between "query":" and the next quote without a backslash. A system behind a command line would be called where the answer is made.
set -eu

member() { # NAME LINE: the text of a string member, still escaped
	printf '%s\n' "$2" | sed -n 's/.*"'"$1"'":"\(\([^"\\]\|\\.\)*\)".*/\1/p'
}

while IFS= read -r line; do
	case $line in
	'{"type":"hello",'*)
		echo '{"type":"welcome","protocol":1,"name":"echo.sh"}'
		;;
	'{"type":"turn",'*)
		id=$(printf '%s\n' "$line" | sed 's/^{"type":"turn","id":\([0-9]*\),.*/\1/')
		printf '{"id":%s,"answer":"You said: %s"}\n' "$id" "$(member query "$line")"
		;;
	'{"type":"bye"'*)
		exit 0
		;;
	esac
done
