# common.sh: what deploy.sh, update.sh and cleanup.sh share; they read it with `.`. POSIX sh; needs the AWS command line interface.
# shellcheck shell=sh disable=SC2034  # the scripts that read this use the variables

stack=fairforge
bucket=""
region=""
dry_run=""
zip=""
yes=""

die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
wrong() { printf "%s: %s See '%s --help'.\n" "${0##*/}" "$*" "$0" >&2; exit 64; }

# shown WORD...: the command as one would type it.
shown() {
	for word in "$@"; do
		case $word in
		'' | *[!A-Za-z0-9_./:=,@%+-]*) printf "'%s' " "$(printf '%s' "$word" | sed "s/'/'\\\\''/g")" ;;
		*) printf '%s ' "$word" ;;
		esac
	done
	printf '\n'
}

# run WORD...: executes the command, or with --dry-run prints it.
run() {
	if [ -n "$dry_run" ]; then shown "$@"; else "$@"; fi
}

# flags FLAG...: takes the common ones; sets `taken` to how many words belong to it, 0 when it is none of them.
flags() {
	taken=1
	case $1 in
	--dry-run) dry_run=1 ;;
	--yes) yes=1 ;;
	--stack | --bucket | --region | --zip)
		if [ $# -lt 2 ] || [ -z "$2" ]; then wrong "$1 needs a value."; fi
		case $1 in
		--stack) stack=$2 ;;
		--bucket) bucket=$2 ;;
		--region) region=$2 ;;
		--zip) zip=$2 ;;
		esac
		taken=2 ;;
	*) taken=0 ;;
	esac
}

# ready: after the flags. Every call of aws then goes to the region.
ready() {
	case $stack in
	*[!A-Za-z0-9-]* | [!A-Za-z]*) wrong "a stack's name has letters, digits and hyphens, and begins with a letter: $stack." ;;
	esac
	[ -z "$region" ] || { AWS_REGION=$region AWS_DEFAULT_REGION=$region; export AWS_REGION AWS_DEFAULT_REGION; }
	[ -n "$dry_run" ] || command -v aws >/dev/null 2>&1 || die "the AWS command line interface (aws) is not installed."
	# Pages would wait for a key.
	AWS_PAGER=""
	export AWS_PAGER
}

# upload ZIP: puts it under a name made of its content, so that the stack changes exactly when the code does; sets `key`.
upload() {
	[ -f "$1" ] || die "there is no $1: make it with ./dev package-lambda."
	sum=$(sha256sum "$1" 2>/dev/null || shasum -a 256 "$1") || die "neither sha256sum nor shasum works."
	key=fairforge-lambda/$stack/${sum%% *}.zip
	run aws s3 cp "$1" "s3://$bucket/$key" --only-show-errors
}

# parameter NAME: the value that the stack was deployed with; empty: there is no such stack.
parameter() {
	aws cloudformation describe-stacks --stack-name "$stack" --output text \
		--query "Stacks[0].Parameters[?ParameterKey=='$1'].ParameterValue | [0]" 2>/dev/null || true
}

# outputs: where the function is.
outputs() {
	run aws cloudformation describe-stacks --stack-name "$stack" --output table --query "Stacks[0].Outputs[].[OutputKey, OutputValue]"
}
