#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Background jobs: statuses by wait, wait -n, many at a time, results through files and pipes.

work=$(pwd)/jobs
mkdir -p "$work"

square() {
  local n=$1
  echo $((n * n)) > "$work/$n"
  return $((n % 7))
}

declare -a pids=()
for n in $(seq 1 16); do
  square "$n" &
  pids+=($!)
done
n=0
for pid in "${pids[@]}"; do
  n=$((n + 1))
  wait "$pid"
  echo "job $n ended with $?: $(<"$work/$n")"
done

(exit 42) &
wait -n
echo "the next job to end gave $?"
wait
echo "waiting for nobody gives $?"
wait 99999 2>/dev/null
echo "waiting for a stranger gives $?"

sleep 30 &
victim=$!
kill -TERM "$victim"
wait "$victim" 2>/dev/null
echo "a killed job gives $?"

sum() {
  local total=0 value
  while read -r value; do total=$((total + value)); done
  echo "$total"
}
for part in 0 1 2 3; do
  (for ((i = part; i < 200; i += 4)); do echo "$i"; done | sum > "$work/part$part") &
done
wait
cat "$work"/part? | sort -n | sum

true | false | (exit 3) | true
echo "${PIPESTATUS[@]}"
set -o pipefail
true | (exit 5) | true
echo "with pipefail $?"

depth() {
  local level=$1
  if ((level == 0)); then
    echo "bottom at depth $BASH_SUBSHELL"
  else
    (depth $((level - 1)))
  fi
}
depth 8
rm -r "$work"
echo done
