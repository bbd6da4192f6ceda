#!/bin/bash
# SPDX-License-Identifier: MIT
#
# xargs in parallel, with odd names, replacement, limits and failing commands.

mkdir names
touch names/'a b' names/"quote'd" names/$'new\nline' names/plain
find names -type f -print0 | sort -z | xargs -0 -n1 printf '<%s>\n'
seq 1 20 | xargs -P4 -n1 sh -c 'echo $(($1 * $1)) > names/r$1' _
seq 1 20 | sed 's#^#names/r#' | xargs cat | paste -sd' '
echo one two three | xargs -n2 echo pair
printf '%s\n' x y z | xargs -I{} echo 'before {} after {}'
seq 10 | xargs -L3 echo line
echo 'a "b c" d\ e' | xargs -n1 echo
seq 3 | xargs -n1 sh -c 'exit $(($1 == 2))' _
echo "one failure: $?"
echo x | xargs sh -c 'exit 255' 2>/dev/null
echo "255 stops: $?"
echo x | xargs no-such-command 2>/dev/null
echo "not found: $?"
xargs -r echo never < /dev/null
xargs echo empty < /dev/null
seq 5000 | xargs -s 2000 echo | wc -w
seq 100 | xargs -P3 -n10 sh -c 'sum=0; for i; do sum=$((sum + i)); done; echo $sum' _ | sort -n
