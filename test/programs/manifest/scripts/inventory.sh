#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A stock list in associative arrays: options, regular expressions, functions with locals, arithmetic, formats.

set -euo pipefail

declare -A price stock
declare -a order=()
verbose=0
currency=EUR

usage() {
  printf 'usage: %s [-v] [-c CURRENCY] < LIST\n' "${0##*/}" >&2
  return 64
}

while getopts ':vc:h' option; do
  case $option in
    v) verbose=1 ;;
    c) currency=$OPTARG ;;
    h) usage || true; exit 0 ;;
    :) echo "option -$OPTARG wants a value"; exit 64 ;;
    *) echo "unknown option -$OPTARG"; exit 64 ;;
  esac
done
shift $((OPTIND - 1))

add_line() {
  local line=$1
  local pattern='^([a-z-]+)[[:space:]]+([0-9]+)[[:space:]]+([0-9]+)\.([0-9]{2})$'
  if [[ $line =~ $pattern ]]; then
    local name=${BASH_REMATCH[1]} count=${BASH_REMATCH[2]}
    local cents=$((10#${BASH_REMATCH[3]} * 100 + 10#${BASH_REMATCH[4]}))
    [[ -v stock[$name] ]] || order+=("$name")
    stock[$name]=$((${stock[$name]:-0} + count))
    price[$name]=$cents
  elif [[ -z ${line//[[:space:]]/} || $line == \#* ]]; then
    return 0
  else
    echo "line $number is wrong: ${line@Q}"
    return 1
  fi
}

money() {
  local cents=$1
  printf '%d.%02d %s' $((cents / 100)) $((cents % 100)) "$currency"
}

number=0
bad=0
while IFS= read -r line || [[ -n $line ]]; do
  number=$((number + 1))
  add_line "$line" || bad=$((bad + 1))
done

total=0
for name in "${order[@]}"; do
  value=$((stock[$name] * price[$name]))
  total=$((total + value))
  printf '%-14s %5d x %12s = %14s\n' "${name^}" "${stock[$name]}" "$(money "${price[$name]}")" "$(money "$value")"
done
echo "${#order[@]} goods, $bad bad lines, $(money "$total")"
((verbose)) && echo "longest name: $(printf '%s\n' "${order[@]}" | awk '{ print length, $0 }' | sort -rn | head -n 1)"

mapfile -t sorted < <(printf '%s\n' "${!stock[@]}" | sort)
echo "sorted: ${sorted[*]}; last: ${sorted[-1]}; middle: ${sorted[@]:1:2}"
text=${sorted[*]//-/ }
echo "${text^^} has ${#text} letters, ${text%% *} first, ${text##* } last"
