#!/bin/sh
# update.sh: new code for a function that deploy.sh made; everything else stays as it is. See docs/lambda.md.
set -eu
here=$(dirname "$0")
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

usage() {
	cat <<'EOF'
Usage: update.sh [FLAG...]
Uploads the zip of ./dev package-lambda beside the old one and gives it to the function.

  --stack NAME     (fairforge)
  --region REGION  else as the AWS command line interface is configured
  --bucket BUCKET  where the code goes (the bucket of the last deployment)
  --zip FILE       the package (build/fairforge-lambda-MACHINE.zip)
  --dry-run        print the commands that change something instead of running them; asks AWS nothing when --bucket is given

Example: ./dev package-lambda && deploy/lambda/update.sh
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
ready
[ -n "$zip" ] || zip=$here/../../build/fairforge-lambda-$(uname -m).zip
[ -n "$bucket" ] || bucket=$(parameter CodeBucket)
case $bucket in
'' | None) die "there is no stack $stack here: deploy.sh makes one." ;;
esac

upload "$zip"
run aws cloudformation deploy --stack-name "$stack" --template-file "$here/template.yaml" --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
	--parameter-overrides "CodeBucket=$bucket" "CodeKey=$key"
outputs
