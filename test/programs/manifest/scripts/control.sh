#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Job control without a terminal: process groups, stopping, continuing, jobs and disown, kill by job.

# The shell tells of ended jobs there, at a moment of its own choice.
exec 2> /dev/null
set -m
sleep 60 &
first=$!
sleep 61 &
second=$!
jobs -l | sed -E 's/ [0-9]+ / PID /; s/ +/ /g'
[[ $(ps_group=$(cut -d' ' -f5 "/proc/$first/stat"); echo "$ps_group") == "$first" ]] && echo "a job leads its group"

kill -STOP "$first"
until [[ $(cut -d' ' -f3 "/proc/$first/stat") == T ]]; do sleep 0.01; done
echo "first is stopped"
kill -CONT "$first"
until [[ $(cut -d' ' -f3 "/proc/$first/stat") != T ]]; do sleep 0.01; done
echo "first goes on"

kill %1
wait -f "$first"
echo "first: $?"
kill -KILL %2
wait -f "$second"
echo "second: $?"

bash -c 'kill -STOP $$; echo "continued, exits with 4"; exit 4' &
child=$!
until [[ $(cut -d' ' -f3 "/proc/$child/stat") == T ]]; do sleep 0.01; done
kill -CONT "$child"
# The stop may be news to the shell only now: then it waits once more.
for _ in 1 2 3; do
  wait -f "$child"
  status=$?
  ((status == 147)) || break
done
echo "child: $status"

# A pipeline is one group: one signal ends all of it.
sleep 70 | sleep 71 | sleep 72 &
last=$!
leader=$(cut -d' ' -f5 "/proc/$last/stat")
[[ $leader != "$last" && $leader != $$ ]] && echo "three processes, one group"
kill -TERM -- "-$leader"
wait -f "$last"
echo "pipeline: $?"
sleep 80 &
disown %%
kill $!
set +m
echo done
