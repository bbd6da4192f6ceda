# SPDX-License-Identifier: MIT
#
# What only gawk has: coprocesses, sorted traversal, gensub, arrays of arrays, strftime, switch, bit operations.

BEGIN {
  command = "sort -r"
  for (i = 1; i <= 5; i++) print "item " i * 7 % 5 |& command
  close(command, "to")
  while ((command |& getline line) > 0) print "sorted:", line
  close(command)

  tree["fruit"]["apple"] = 3
  tree["fruit"]["pear"] = 5
  tree["tool"]["saw"] = 2
  PROCINFO["sorted_in"] = "@ind_str_desc"
  for (kind in tree)
    for (name in tree[kind]) printf "%s/%s: %d\n", kind, name, tree[kind][name]
  PROCINFO["sorted_in"] = "@val_num_asc"
  for (i = 1; i < 8; i++) square[i] = (i * 5) % 8
  for (i in square) printf "%d ", square[i]
  print ""
  print gensub(/([a-z]+) ([a-z]+)/, "\\2 \\1", "g", "hello world good day")
  print strftime("%Y-%m-%d %H:%M:%S", 86400 * 365, 1), mktime("2000 02 29 12 00 00")
  print and(12, 10), or(12, 10), xor(12, 10), lshift(1, 20), compl(0) > 0
  switch ("banana") {
  case /^b/: print "begins with b"; break
  default: print "never"
  }
  n = patsplit("a1b22c333", digits, /[0-9]+/)
  print n, digits[1], digits[2], digits[3]
  n = asort(square, ordered)
  print n, ordered[1], ordered[n]
  printf "%c%c%c %'d\n", 72, 105, 33, 1234567
  print length(sprintf("%*d", 40, 7)), strtonum("0x1F"), typeof(tree), typeof(1), typeof("x"), typeof(@/x/)
}
