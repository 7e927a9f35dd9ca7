#!/bin/sh
# deploy.sh: puts the function of template.yaml on AWS, or changes how it is set up. See docs/lambda.md.
set -eu
here=$(dirname "$0")
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

usage() {
	cat <<'EOF'
Usage: deploy.sh --bucket BUCKET [FLAG...] [PARAMETER=VALUE...]
Uploads the zip of ./dev package-lambda to BUCKET (which exists) and deploys template.yaml as a stack.

  --bucket BUCKET  holds the code; one of this account, in the region of the function
  --stack NAME     of the stack and the function (fairforge)
  --region REGION  else as the AWS command line interface is configured
  --zip FILE       the package (build/fairforge-lambda-MACHINE.zip)
  --dry-run        print the commands instead of running them
PARAMETER=VALUE    of the template: Access, JwtIssuer, JwtAudience, CorsOrigins, ResultBucket, Connector, LlmApiKeySecret, Timeout, ...
                   What is not named keeps the value of the last deployment.

Example: deploy.sh --bucket my-code Access=HttpApiJwt JwtIssuer=https://login.example.com JwtAudience=my-app ResultBucket=my-results
EOF
}

while [ $# -gt 0 ]; do
	flags "$@"
	[ "$taken" = 0 ] || { shift "$taken"; continue; }
	case $1 in
	--help | -h) usage; exit 0 ;;
	-*) wrong "there is no flag $1." ;;
	[A-Z]*=*) break ;;
	*) wrong "$1 is no PARAMETER=VALUE." ;;
	esac
done
for pair in "$@"; do
	case $pair in
	Code*=* | Architecture=*) wrong "${pair%%=*} is set by --bucket and --zip." ;;
	[A-Z]*=*) ;;
	*) wrong "flags come before parameters: $pair." ;;
	esac
done
[ -n "$bucket" ] || wrong "--bucket is missing."
ready
machine=$(uname -m)
[ "$machine" != aarch64 ] || machine=arm64
[ -n "$zip" ] || zip=$here/../../build/fairforge-lambda-$(uname -m).zip
case $zip in
*aarch64* | *arm64*) architecture=arm64 ;;
*x86_64*) architecture=x86_64 ;;
*) architecture=$machine ;;
esac

upload "$zip"
run aws cloudformation deploy --stack-name "$stack" --template-file "$here/template.yaml" --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
	--parameter-overrides "CodeBucket=$bucket" "CodeKey=$key" "Architecture=$architecture" "$@"
outputs
