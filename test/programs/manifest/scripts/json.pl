#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A JSON tool by hand: parses, queries by path, prints sorted and indented, reports where an error is.

use strict;
use warnings;

my ($text, $line);

sub error { die sprintf "line %d, column %d: %s\n", $line = 1 + (substr($text, 0, pos($text) // 0) =~ tr/\n//),
  (pos($text) // 0) - (rindex(substr($text, 0, pos($text) // 0), "\n") + 1) + 1, shift }

sub value {
  $text =~ /\G\s+/gc;
  if ($text =~ /\G\{/gc) {
    my %object;
    $text =~ /\G\s*/gc;
    return \%object if $text =~ /\G\}/gc;
    while (1) {
      $text =~ /\G\s*/gc;
      error('a key begins with "') if substr($text, pos $text, 1) ne '"';
      my $key = value();
      $text =~ /\G\s*:/gc or error("no colon after $key");
      $object{$key} = value();
      $text =~ /\G\s*/gc;
      next if $text =~ /\G,/gc;
      return \%object if $text =~ /\G\}/gc;
      error('expected , or }');
    }
  }
  if ($text =~ /\G\[/gc) {
    my @array;
    $text =~ /\G\s*/gc;
    return \@array if $text =~ /\G\]/gc;
    while (1) {
      push @array, value();
      $text =~ /\G\s*/gc;
      next if $text =~ /\G,/gc;
      return \@array if $text =~ /\G\]/gc;
      error('expected , or ]');
    }
  }
  if ($text =~ /\G"((?:[^"\\]|\\.)*)"/gc) {
    my $string = $1;
    my %escapes = (n => "\n", t => "\t", '"' => '"', '\\' => '\\', '/' => '/');
    $string =~ s/\\(?:u([0-9a-f]{4})|(.))/defined $1 ? chr hex $1 : $escapes{$2}/gei;
    return $string;
  }
  return \"$1" if $text =~ /\G(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)/gci;
  return \"$1" if $text =~ /\G(true|false|null)\b/gc;
  error('no value here');
}

sub show {
  my ($value, $depth) = @_;
  my $indent = '  ' x $depth;
  if (ref $value eq 'HASH') {
    return '{}' unless %$value;
    return "{\n" . join(",\n", map { qq($indent  "$_": ) . show($value->{$_}, $depth + 1) } sort keys %$value) . "\n$indent}";
  }
  if (ref $value eq 'ARRAY') {
    return '[' . join(', ', map { show($_, $depth + 1) } @$value) . ']';
  }
  return $$value if ref $value;
  (my $string = $value) =~ s/(["\\])/\\$1/g;
  $string =~ s/\n/\\n/g;
  $string =~ s/([^ -~])/sprintf '\\u%04x', ord $1/ge;
  return qq("$string");
}

sub query {
  my ($value, $path) = @_;
  for my $step (split /\./, $path) {
    if ($step eq '#') { return \scalar(ref $value eq 'ARRAY' ? @$value : keys %$value) }
    $value = ref $value eq 'HASH' ? $value->{$step} : ref $value eq 'ARRAY' && $step =~ /^\d+$/ ? $value->[$step] : undef;
    return \'undefined' unless defined $value;
  }
  return $value;
}

for my $document (split /^---\n/m, do { local $/; <STDIN> }) {
  $text = $document;
  my $value = eval { my $v = value(); $text =~ /\G\s*\z/gc or error('something follows'); $v };
  if ($@) { print "error: $@"; next }
  print show($value, 0), "\n";
  print "$_ = ", show(query($value, $_), 0), "\n" for @ARGV;
}
