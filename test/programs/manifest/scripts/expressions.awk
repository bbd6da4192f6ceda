# SPDX-License-Identifier: MIT
#
# An expression parser with precedence climbing: numbers, variables, functions, assignment, comparison; errors by line.

BEGIN {
  split("= 1 < 2 > 2 + 3 - 3 * 4 / 4 % 4 ^ 6", table, " ")
  for (i = 1; i in table; i += 2) level[table[i]] = table[i + 1]
  vars["pi"] = atan2(0, -1)
}

function fail(why) {
  if (error == "") error = why
  return 0
}

function tokenize(text,   count, piece) {
  delete token
  count = 0
  while (text != "") {
    if (match(text, /^[ \t]+/)) {
      text = substr(text, RLENGTH + 1)
      continue
    }
    if (match(text, /^[0-9]+(\.[0-9]+)?/) || match(text, /^[a-z][a-z0-9]*/) || match(text, /^[-+*\/%^()=<>,]/)) {
      piece = substr(text, 1, RLENGTH)
      text = substr(text, RLENGTH + 1)
      token[++count] = piece
    } else {
      fail("strange letter " substr(text, 1, 1))
      return
    }
  }
  token[count + 1] = "end"
  at = 1
}

function call(name,   value) {
  value = climb(1)
  if (token[at++] != ")") return fail("no ) after " name)
  if (name == "sqrt") return value < 0 ? fail("root of " value) : sqrt(value)
  if (name == "int") return int(value)
  if (name == "sin") return sin(value)
  if (name == "fib") return fib(value)
  return fail("no function " name)
}

function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }

function primary(   t, value) {
  t = token[at++]
  if (t == "-") return -climb(5)
  if (t == "(") {
    value = climb(1)
    if (token[at++] != ")") return fail("no )")
    return value
  }
  if (t ~ /^[0-9]/) return t + 0
  if (t ~ /^[a-z]/ && t != "end") {
    if (token[at] == "(") {
      at++
      return call(t)
    }
    last = t
    if (token[at] != "=" && !(t in vars)) return fail("no variable " t)
    return vars[t]
  }
  return fail("unexpected " t)
}

function climb(min,   left, op, right, name) {
  left = primary()
  while ((op = token[at]) in level && level[op] >= min && error == "") {
    at++
    name = last
    right = climb(op == "^" || op == "=" ? level[op] : level[op] + 1)
    if (op == "+") left += right
    else if (op == "-") left -= right
    else if (op == "*") left *= right
    else if (op == "/") left = right == 0 ? fail("division by zero") : left / right
    else if (op == "%") left = right == 0 ? fail("division by zero") : left % right
    else if (op == "^") left = left ^ right
    else if (op == "<") left = left < right
    else if (op == ">") left = left > right
    else if (op == "=") left = vars[name] = right
  }
  return left
}

/^[ \t]*(#|$)/ { next }
{
  error = ""
  tokenize($0)
  if (error == "") value = climb(1)
  if (error == "" && token[at] != "end") fail("left over: " token[at])
  printf "%-28s %s\n", $0, error == "" ? sprintf("%.10g", value) : "error: " error
  if (error != "") errors++
}
END {
  printf "%d lines, %d errors\n", NR, errors
  n = asorti_plain(vars, names)
  for (i = 1; i <= n; i++) printf "%s = %.6g\n", names[i], vars[names[i]]
}

# Insertion sort of the indices: works in every awk.
function asorti_plain(array, out,   key, n, i) {
  for (key in array) {
    i = ++n
    while (i > 1 && out[i - 1] > key) {
      out[i] = out[i - 1]
      i--
    }
    out[i] = key
  }
  return n
}
