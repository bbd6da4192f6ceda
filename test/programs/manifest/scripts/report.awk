# SPDX-License-Identifier: MIT
#
# A log's report by hour and path: multi-dimensional arrays, pipes to sort, getline from a command and a file.

BEGIN {
  FS = "[][ \"]+"
  "seq 3 | tail -n 1" | getline last
  close("seq 3 | tail -n 1")
  printf "last of seq: %s\n", last
}
{
  split($2, when, ":")
  hour = when[1]
  path = $4
  sub(/\?.*/, "", path)
  status = $5
  bytes = $6
  hits[hour, path]++
  size[path] += bytes
  seen[status]++
  if (bytes > largest) {
    largest = bytes
    largest_line = NR
  }
  hours[hour]
}
END {
  sorter = "sort -k2,2nr -k1,1"
  for (path in size) printf "%-12s %10d\n", path, size[path] | sorter
  close(sorter)
  sorter = "sort"
  for (key in hits) {
    split(key, part, SUBSEP)
    printf "%s h %-12s %4d %s\n", part[1], part[2], hits[key], bar(hits[key]) | sorter
  }
  close(sorter)
  for (status in seen) total += seen[status]
  printf "200: %.1f%%, 404: %.1f%% of %d\n", 100 * seen[200] / total, 100 * seen[404] / total, total
  printf "largest answer: %d bytes in line %d\n", largest, largest_line
  while ((getline line < FILENAME) > 0) if (++n <= 2) print toupper(substr(line, 1, 30))
  print n " lines read again"
  print substr("abcdef", 2, 3), index("banana", "nan"), length("four"), sprintf("%05.1f|%-5s|%x", 3.14159, "ab", 255)
  system("echo from a shell")
  exit total == NR ? 0 : 1
}
function bar(n,   s) {
  for (n = int(n / 2); n > 0; n--) s = s "*"
  return s
}
