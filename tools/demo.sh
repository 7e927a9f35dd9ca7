#!/bin/sh
# demo.sh: the main job against the built-in simulator; ./dev demo calls it after the build.
# Leaves demo/response.json (the answer document) and demo/events.jsonl (a line for everything that happened).
set -eu
cd "$(dirname "$0")/.."
mkdir -p demo
simulator=""
stop() { [ -z "$simulator" ] || kill "$simulator" 2>/dev/null || true; }
trap stop EXIT
trap 'exit 130' INT TERM

rm -f demo/ready
mkfifo demo/ready
build/fairforge mock --port 0 --answers examples/demo.json --latency 120 --jitter 80 >demo/ready 2>demo/simulator.err &
simulator=$!
# The first line is written and flushed as soon as the simulator listens; the pipe ends if it cannot.
read -r line <demo/ready || line=""
rm -f demo/ready
url=${line#listening on }
[ -n "$url" ] || { cat demo/simulator.err >&2; exit 1; }

status=0
# A proxy of the environment cannot reach a simulator on this machine.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
build/fairforge run --dataset examples/demo.json --connector openai --model demo-model \
	--param base_url="$url/v1" --param api_key=demo-key -o demo/response.json --json 2>demo/events.jsonl || status=$?
python3 tools/demo_table.py demo/events.jsonl
[ "$status" = 0 ] || { echo "the run ended with status $status; see demo/events.jsonl" >&2; exit "$status"; }
cat <<'EOF'

The answers are in demo/response.json. Next:
  build/fairforge check examples/payload.json      every problem of a payload at once
  build/fairforge connectors                       what can be asked, and with which parameters
  GROQ_API_KEY=... build/fairforge run --dataset examples/demo.json --connector groq --model llama-3.3-70b-versatile -o out.json
EOF
