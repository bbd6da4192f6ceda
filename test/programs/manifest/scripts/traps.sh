#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Traps: signals to the shell itself, from children, ERR, EXIT, RETURN and DEBUG, ignored and reset ones.

count=0
trap 'count=$((count + 1)); echo "USR1 number $count"' USR1
trap 'echo "TERM is only noted"' TERM
trap 'echo "the end, status $?"' EXIT

kill -USR1 $$
kill -USR1 $$
kill -TERM $$
(kill -USR1 $$)
echo "after four signals: $count"

trap '' HUP
kill -HUP $$
echo "HUP is ignored"
trap - HUP
trap -p | sort

inner() {
  trap 'echo "return from inner"' RETURN
  echo "in inner"
  trap - RETURN
}
inner

on_error() { echo "error in line $1: status $2"; }
set -o errtrace
trap 'on_error $LINENO $?' ERR
false
(exit 9)
if false; then echo never; fi
trap - ERR

bash -c 'trap "echo child got INT; exit 7" INT; kill -INT $$; echo never'
echo "child ended with $?"
{ bash -c 'kill -KILL $$'; } 2>/dev/null
echo "killed child: $?"
bash -c 'trap "" USR2; bash -c "kill -USR2 \$\$; echo ignoring is inherited"'
bash -c 'trap "echo no" USR2; bash -c "kill -USR2 \$\$; echo never"; echo "handlers are not: $?"'

# In another process: until the shell itself sleeps.
until_asleep() { until grep -q "State:.S" "/proc/$$/status"; do sleep 0.01; done; }

# A signal while the shell waits ends wait at once, with a status above 128.
sleep 30 &
sleeper=$!
trap 'echo "woken from wait"' USR2
(until_asleep; kill -USR2 $$) &
wait "$sleeper"
echo "wait gave $?"
kill "$sleeper"
wait "$sleeper" 2>/dev/null
echo "sleeper: $?"

# The shell takes traps between commands, not in the middle of one.
trap 'echo "ALRM after the pipeline"' ALRM
{ until_asleep; kill -ALRM $$; sleep 0.05; echo "pipeline ends"; } | cat
echo "now for the end"
exit 3
