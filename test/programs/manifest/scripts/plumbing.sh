#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a shell can do with descriptors: coprocesses, process substitution, here documents, duplicates, FIFOs.

set -u
coproc SORTER { sort -n; }
sorter=$SORTER_PID
for n in 30 4 100 8; do echo "$n" >&"${SORTER[1]}"; done
exec {SORTER[1]}>&-
cat <&"${SORTER[0]}"
wait "$sorter"

coproc ADDER { while read -r a b; do echo $((a + b)); done; }
adder=$ADDER_PID
for pair in '1 2' '30 12' '-5 5'; do
  echo "$pair" >&"${ADDER[1]}"
  read -r answer <&"${ADDER[0]}"
  echo "$pair gives $answer"
done
eval "exec ${ADDER[1]}>&-"
wait "$adder"
echo "adder ended with $?"

diff <(seq 1 5) <(seq 1 2 5; echo 4)
echo "diff: $?"
paste -d: <(printf 'a\nb\nc\n') <(seq 3) <(echo x; echo y)
seq 5 | tee >(wc -l > lines) >(tail -n 1 > last) | head -n 2
while [[ ! -s lines || ! -s last ]]; do sleep 0.01; done
echo "$(<lines) lines, the last is $(<last)"

name=world
cat <<TEXT
Hello $name, $(echo nested) $((6 * 7))
	a tab stays
TEXT
cat <<-'TEXT'
	tabs go, $name stays
	TEXT
tr a-z A-Z <<< "here string of $name"
big=$(for i in {1..4000}; do echo "line $i of a long document"; done)
wc -c <<< "$big"

exec 3> out 4>&1
echo "to three" >&3
echo "to four" >&4
echo "more" >> out
exec 3>&- 4>&-
{ echo one; echo two >&2; } 2>&1 > swapped | tr o 0
cat out swapped
exec 5<> both
echo "first line" >&5
exec 5<&-
exec 5< both
read -r line <&5
echo "read back: $line"
exec 5<&-

mkfifo queue
for i in 1 2 3; do echo "message $i"; done > queue &
while read -r line; do echo "got $line"; done < queue
wait
set -o noclobber
(echo again > out) 2>/dev/null || echo "noclobber holds"
echo forced >| out
cat out
ls
