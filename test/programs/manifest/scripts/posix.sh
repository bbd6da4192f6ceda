#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A maze solver and some text work in the plain shell language, for dash and busybox as well as bash.

set -eu

# Positional parameters as a queue.
queue_push() { queue="${queue:+$queue }$1"; }
queue_pop() {
  head=${queue%% *}
  if [ "$head" = "$queue" ]; then queue=; else queue=${queue#* }; fi
}

maze='#########
#S..#...#
#.#.#.#.#
#.#...#.#
#.#####.#
#......E#
#########'

row=0
cells=
for line in $maze; do
  column=0
  rest=$line
  while [ -n "$rest" ]; do
    tail=${rest#?}
    letter=${rest%"$tail"}
    rest=$tail
    case $letter in
      S) start=$row.$column; cells="$cells $row.$column" ;;
      E) goal=$row.$column; cells="$cells $row.$column" ;;
      .) cells="$cells $row.$column" ;;
    esac
    column=$((column + 1))
  done
  row=$((row + 1))
done

is_open() { case " $cells " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
is_seen() { case " $seen " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

queue=$start
seen=$start
steps=" $start:0"
while [ -n "$queue" ]; do
  queue_pop
  r=${head%.*}
  c=${head#*.}
  distance=${steps##* "$head":}
  distance=${distance%% *}
  [ "$head" != "$goal" ] || break
  for next in $((r - 1)).$c $((r + 1)).$c $r.$((c - 1)) $r.$((c + 1)); do
    if is_open "$next" && ! is_seen "$next"; then
      seen="$seen $next"
      steps="$steps $next:$((distance + 1))"
      queue_push "$next"
    fi
  done
done
echo "from $start to $goal in $distance steps"

trim() { printf '%s\n' "$1" | sed 's/^ *//; s/ *$//'; }
echo "[$(trim '   spaces around   ')]"

factorial() {
  if [ "$1" -le 1 ]; then echo 1; else echo $(($1 * $(factorial $(($1 - 1))))); fi
}
echo "12! = $(factorial 12)"

IFS=:
for field in a:b::c; do printf '<%s>' "$field"; done
set -- x:y:z
for field in $1; do printf '<%s>' "$field"; done
echo
unset IFS
(trap 'echo "subshell ends"' EXIT; cd /; pwd)
umask 027
: > made
ls -l made | cut -c 1-10
until [ "${count:=0}" -ge 3 ]; do count=$((count + 1)); printf '%s ' "$count"; done
echo
command -v printf >/dev/null && echo "printf is there"
eval 'echo "eval: $((1 << 10))"'
exec 3<&0
echo "a line" | while read -r word rest; do echo "$rest after $word"; done
