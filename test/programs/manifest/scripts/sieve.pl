#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Arithmetic to keep perl busy: a sieve, a matrix, string building, a hash of many keys, sorting, recursion.

use strict;
use warnings;
use List::Util qw(sum max first reduce);

my $limit = 120_000;
my $sieve = "\1" x ($limit + 1);
substr $sieve, 0, 2, "\0\0";
for (my $i = 2; $i * $i <= $limit; $i++) {
  next unless vec $sieve, $i, 8;
  for (my $j = $i * $i; $j <= $limit; $j += $i) { vec($sieve, $j, 8) = 0 }
}
my @primes = grep { vec $sieve, $_, 8 } 2 .. $limit;
print scalar @primes, " primes, the last $primes[-1], sum ", sum(@primes), "\n";

my $n = 40;
my @a = map { my $i = $_; [map { ($i * $_ + 3) % 11 } 0 .. $n - 1] } 0 .. $n - 1;
my @b;
for my $i (0 .. $n - 1) {
  for my $j (0 .. $n - 1) { $b[$i][$j] = sum map { $a[$i][$_] * $a[$_][$j] } 0 .. $n - 1 }
}
print 'trace ', sum(map { $b[$_][$_] } 0 .. $n - 1), ', largest ', max(map { @$_ } @b), "\n";

my %squares = map { $_ => $_**2 % 9973 } 1 .. 30_000;
my %inverse;
push @{ $inverse{ $squares{$_} } }, $_ for sort { $a <=> $b } keys %squares;
my $busiest = first { 1 } sort { @{ $inverse{$b} } <=> @{ $inverse{$a} } || $a <=> $b } keys %inverse;
print scalar keys %inverse, " classes, the largest is $busiest with @{ $inverse{$busiest} }[0 .. 2]\n";

sub ackermann {
  my ($m, $n) = @_;
  return $n + 1 unless $m;
  return ackermann($m - 1, $n ? ackermann($m, $n - 1) : 1);
}
{ no warnings 'recursion'; print 'ackermann(2, 20) = ', ackermann(2, 20), "\n" }
my @sorted = sort { $a->{key} <=> $b->{key} || $a->{id} <=> $b->{id} } map { { id => $_, key => $_ * 7919 % 1013 } } 1 .. 8000;
print join(' ', map { "$_->{key}:$_->{id}" } @sorted[0, 1, 4000, -1]), "\n";
print 'digits of 2^500: ', (reduce { my $c = 0; my $t = ''; for (reverse split //, $a) { my $d = $_ * 2 + $c; $t = $d % 10 . $t; $c = int $d / 10 } ($c || '') . $t } 1, 1 .. 500), "\n";
