# SPDX-License-Identifier: MIT
#
# Numbers each paragraph, turns lines around, groups digits, joins lines that end with a backslash.
:join
/\\$/ {
  N
  s/\\\n//
  b join
}
/^#/ d
/^$/ {
  x
  s/^.*$/&i/
  s/iiiii/V/
  x
  G
  s/^\n/--- paragraph /
  b
}
/^reverse / {
  s///
  s/^/\n/
  :turn
  s/\n\(.*\)\(.\)$/\2\n\1/
  t turn
  s/\n//
}
/[0-9]\{4\}/ {
  :group
  s/\([0-9]\)\([0-9]\{3\}\)\($\|[^0-9]\)/\1,\2\3/
  t group
}
y/qz/QZ/
s/\b\([a-z]\)\([a-z]*\)ly\b/\U\1\E\2LY/g
/^count /{
  s///
  h
  s/./x/g
  x
  G
  s/\n/: /
}
