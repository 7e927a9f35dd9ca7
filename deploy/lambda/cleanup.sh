#!/bin/sh
# cleanup.sh: removes a function that deploy.sh made, with its role, its URL and its log. Results in their bucket stay. See docs/lambda.md.
set -eu
here=$(dirname "$0")
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

usage() {
	cat <<'EOF'
Usage: cleanup.sh --yes [FLAG...]
Deletes the stack and its code. Results stay where they are, and so do the bucket of the code and other stacks.

  --yes            without it nothing is deleted
  --stack NAME     (fairforge)
  --region REGION  else as the AWS command line interface is configured
  --bucket BUCKET  where the code is (the bucket of the last deployment)
  --dry-run        print the commands that change something instead of running them; asks AWS nothing when --bucket is given

Example: deploy/lambda/cleanup.sh --yes --stack fairforge
EOF
}

while [ $# -gt 0 ]; do
	flags "$@"
	[ "$taken" = 0 ] || { shift "$taken"; continue; }
	case $1 in
	--help | -h) usage; exit 0 ;;
	*) wrong "there is no $1." ;;
	esac
done
[ -n "$yes$dry_run" ] || wrong "the stack $stack would be deleted: say --yes."
[ -z "$zip" ] || wrong "--zip means nothing here."
ready
[ -n "$bucket" ] || bucket=$(parameter CodeBucket)
case $bucket in
'' | None) die "there is no stack $stack here." ;;
esac

run aws cloudformation delete-stack --stack-name "$stack"
run aws cloudformation wait stack-delete-complete --stack-name "$stack"
run aws s3 rm "s3://$bucket/fairforge-lambda/$stack/" --recursive --only-show-errors
