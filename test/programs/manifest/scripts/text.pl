#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Text work: word counts, regular expressions of every kind, formats, sorting, pack, closures, objects, local files.

use strict;
use warnings;

my @words = qw(lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor);
my ($seed, $text) = (1, '');
for (1 .. 60_000) {
  $seed = ($seed * 1103515245 + 12345) % 2147483648;
  $text .= $words[($seed >> 16) % @words] . (($seed >> 10) % 9 ? ' ' : ".\n");
}
my %count;
$count{$_}++ for $text =~ /\w+/g;
for my $word (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count) { printf "%-12s %6d\n", $word, $count{$word} }

my %pairs;
$pairs{"$1 $2"}++ while $text =~ /\b(\w+) (?=(\w+))/g;
my @top = (sort { $pairs{$b} <=> $pairs{$a} || $a cmp $b } keys %pairs)[0 .. 2];
print "$_: $pairs{$_}\n" for @top;
(my $changed = $text) =~ s/(\w+) sit (\w+)/\U$2\E sit \u$1/g;
print length $changed, ' ', ($changed =~ tr/A-Z//), "\n";
print join('|', map { scalar reverse } split /[.\n]+/, substr $text, 0, 120), "\n";

my $nested = qr/\((?:[^()]++|(?R))*+\)/;
print join(' ', 'f(a(b)c)(d) and (e' =~ /$nested/g), "\n";
if ('2024-02-29T12:34' =~ /^(?<y>\d{4})-(?<m>\d\d)-(?<d>\d\d)T/) { print join('/', @+{qw(d m y)}), "\n" }
print join(',', 'aXbXc' =~ /([a-z])(?=X|$)/g), ' ', 'foobar' =~ s/(?<=foo)bar/baz/r, "\n";

package Shape {
  sub new { my ($class, %args) = @_; return bless {%args}, $class }
  sub area { 0 }
  sub describe { my $self = shift; return sprintf '%s of %.2f', ref $self, $self->area }
}
package Circle {
  our @ISA = ('Shape');
  sub area { 3.14159265 * $_[0]{r}**2 }
}
package Square {
  our @ISA = ('Shape');
  sub area { $_[0]{side}**2 }
  sub describe { my $self = shift; return 'a neat ' . $self->SUPER::describe }
}
package Counter {
  sub TIESCALAR { my ($class, $start) = @_; return bless \$start, $class }
  sub FETCH { return ${ $_[0] }++ }
}
package main;

print $_->describe, "\n" for Circle->new(r => 2), Square->new(side => 3);
tie my $ticket, 'Counter', 10;
print "$ticket $ticket $ticket\n";
my @makers = map { my $n = $_; sub { return $n++ * $_[0] } } 1 .. 3;
print join(' ', map { $_->(10), $_->(100) } @makers), "\n";
print unpack('H*', pack('NnCa3w', 1, 2, 3, 'abc', 300)), ' ', join(',', unpack '(A2)*', 'aabbcc'), "\n";
our ($name, $amount) = ('left', 12.5);
format STDOUT =
@<<<<<<<< @>>>>> @##.##
$name,    $name, $amount
.
write;
open my $file, '+>', 'numbers' or die;
print $file map { "$_\n" } 1 .. 1000;
seek $file, 0, 0;
my $sum = 0;
$sum += $_ while <$file>;
print "$sum at ", tell $file, ', size ', -s 'numbers', "\n";
print join(' ', map { $_->[0] } sort { $a->[1] <=> $b->[1] || $a->[0] cmp $b->[0] } map { [$_, length] } @words), "\n";
print join(' ', map { sprintf '%s%03b', $_, $_ } 1 .. 5), ' ', sprintf('%vd', '1.22.333'), ' ', ucfirst lc 'ABC', "\n";
local $, = '-';
local $\ = "!\n";
print wantarray() // 'undef', __LINE__, (caller 0)[3] // 'main';
