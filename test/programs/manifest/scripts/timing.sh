#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Commands that manage other commands: timeout, nice, nohup, setsid, env, flock, stdbuf, time limits of the shell.

timeout 0.2 sleep 10
echo "timeout: $?"
{ timeout -s KILL 0.2 sleep 10; } 2>/dev/null
echo "with KILL: $?"
timeout 100 true
echo "in time: $?"
timeout --foreground --preserve-status -s INT 2 bash -c 'trap "exit 9" INT; while :; do sleep 0.01; done'
echo "own status: $?"
nice -n 5 nice
nohup sh -c 'kill -HUP $$; echo "survived HUP"' 2>/dev/null
setsid sh -c '[ "$(cut -d" " -f6 /proc/$$/stat)" = $$ ] && echo "own session"'
env -i A=1 B=2 sh -c 'echo "$A$B$C"'
env -u HOME sh -c 'echo "${HOME-no home}"'
env --chdir=/usr pwd
(exec -a other sh -c 'tr "\0" " " < /proc/$$/cmdline | cut -c 1-8')
stdbuf -oL echo buffered
(ulimit -n 16; ulimit -n)
(ulimit -f 1; head -c 10000 /dev/zero > large; echo "status $?, size $(stat -c %s large)") 2>/dev/null

exec 9> lock
flock 9
(flock -n lock true || echo "somebody else has the lock")
flock -u 9
flock -n lock echo "now it is free"
counter=0
echo 0 > counter
for i in 1 2 3 4 5 6; do
  (
    flock 8
    read -r value < counter
    sleep 0.01
    echo $((value + 1)) > counter
  ) 8> lock &
done
wait
cat counter
read -r -t 0.05 line < <(sleep 5)
echo "read timed out: $(($? > 128))"
SECONDS=0
sleep 1.1
echo "$((SECONDS >= 1)) second"
printf '%(%Y-%m-%d)T\n' 0
yes | head -n 3
yes 2>/dev/null | true
echo "yes ended by ${PIPESTATUS[0]}"
