# SPDX-License-Identifier: MIT
#
# Makes a log that looks like a web server's: the same one each time.

BEGIN {
  split("/ /index /about /data /login /img/a /img/b", paths, " ")
  split("200 200 200 200 304 404 500", codes, " ")
  seed = 12345
  for (i = 0; i < lines; i++) {
    seed = (seed * 1103515245 + 12345) % 2147483648
    a = int(seed / 65536)
    printf "10.0.%d.%d [%02d:%02d:%02d] \"GET %s?q=%d\" %d %d\n", a % 4, a % 250, a % 24, a % 60, (a * 7) % 60, \
      paths[a % 7 + 1], a % 100, codes[(a * 3) % 7 + 1], a % 9000
  }
}
