#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A recursive-descent calculator in bash, with variables and errors, and some arithmetic to keep it busy.

input= position=0 result=0
declare -A variables=([seven]=7)

peek() { token=${input:position:1}; }
skip() {
  peek
  while [[ $token == ' ' ]]; do
    position=$((position + 1))
    peek
  done
}
fail() {
  echo "error at $position: $1"
  failed=1
  result=0
}

primary() {
  skip
  local text=''
  if [[ $token == '(' ]]; then
    position=$((position + 1))
    expression
    skip
    [[ $token == ')' ]] || { fail "no closing parenthesis"; return; }
    position=$((position + 1))
  elif [[ $token == '-' ]]; then
    position=$((position + 1))
    primary
    result=$((-result))
  elif [[ $token == [0-9] ]]; then
    while [[ $token == [0-9] ]]; do
      text+=$token
      position=$((position + 1))
      peek
    done
    result=$((10#$text))
  elif [[ $token == [a-z] ]]; then
    while [[ $token == [a-z] ]]; do
      text+=$token
      position=$((position + 1))
      peek
    done
    [[ -v variables[$text] ]] || { fail "no variable $text"; return; }
    result=${variables[$text]}
  else
    fail "unexpected '$token'"
  fi
}

term() {
  primary
  local left=$result operator
  skip
  while [[ $token == [*/%] ]]; do
    operator=$token
    position=$((position + 1))
    primary
    if [[ $operator != '*' && $result == 0 ]]; then
      fail "division by zero"
      return
    fi
    case $operator in
      '*') left=$((left * result)) ;;
      '/') left=$((left / result)) ;;
      '%') left=$((left % result)) ;;
    esac
    skip
  done
  result=$left
}

expression() {
  term
  local left=$result operator
  skip
  while [[ $token == [+-] ]]; do
    operator=$token
    position=$((position + 1))
    term
    left=$((left $operator result))
    skip
  done
  result=$left
}

while IFS= read -r input; do
  position=0 failed=0
  target=
  if [[ $input =~ ^([a-z]+)\ *=\ *(.*)$ ]]; then
    target=${BASH_REMATCH[1]}
    input=${BASH_REMATCH[2]}
  fi
  expression
  skip
  ((failed)) || [[ -z $token ]] || fail "what is '$token'?"
  ((failed)) && continue
  [[ -z $target ]] || variables[$target]=$result
  echo "${target:+$target = }$result"
done <<'LINES'
1 + 2 * 3
(1 + 2) * 3
-4 * -(5 - 2)
x = seven * 6
x % 5 + x / 5
10 / (x - 42)
unknown + 1
2 +
2 2
((((((((((1))))))))))
9223372036854775807 + 1
LINES

sieve=()
primes=0
for ((n = 2; n < 3000; n++)); do
  [[ -n ${sieve[n]-} ]] && continue
  primes=$((primes + 1))
  for ((m = n * n; m < 3000; m += n)); do sieve[m]=1; done
done
echo "$primes primes below 3000"

collatz() {
  local n=$1 steps=0
  while ((n != 1)); do
    ((n % 2)) && n=$((3 * n + 1)) || n=$((n / 2))
    steps=$((steps + 1))
  done
  echo "$1: $steps steps"
}
for n in 27 97 871; do collatz "$n"; done
