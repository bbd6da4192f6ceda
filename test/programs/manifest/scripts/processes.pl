#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Processes in perl: fork, pipes, open with commands, two-way pipes, waitpid, signals, alarms, exec, select.

use strict;
use warnings;
use IO::Handle;
use IPC::Open3;
use POSIX qw(:sys_wait_h :signal_h);

$| = 1;
my %ended;
for my $n (1 .. 6) {
  my $pid = fork // die;
  exit $n * 2 unless $pid;
  $ended{$pid} = 0;
}
while ((my $pid = wait) > 0) { $ended{$pid} = $? >> 8 }
print join(' ', sort { $a <=> $b } values %ended), "\n";

pipe my $read, my $write or die;
unless (fork) {
  close $read;
  print $write "line $_\n" for 1 .. 500;
  exit 0;
}
close $write;
my ($count, $last) = (0);
while (<$read>) { $count++; $last = $_ }
wait;
print "read $count lines, the last: $last";

open my $sort, '|-', 'sort -n | head -n 3' or die;
print $sort "$_\n" for 9, 4, 7, 1, 3;
close $sort;
open my $seq, '-|', 'seq', '1', '10' or die;
my $sum = 0;
$sum += $_ while <$seq>;
close $seq;
print "sum $sum, status $?\n";
my @lines = `printf 'a\\nb\\n'; exit 3`;
print scalar(@lines), ' lines, status ', $? >> 8, "\n";

my $pid = open3(my $in, my $out, undef, 'tr', 'a-z', 'A-Z');
print $in "both ways\n";
close $in;
print <$out>;
waitpid $pid, 0;
print 'open3: ', $? >> 8, "\n";

if (my $kid = open my $from, '-|') {
  print 'from the kid: ', $_ while <$from>;
  close $from;
} else {
  print "I am a fork\n";
  exit 0;
}

my @got;
$SIG{USR1} = sub { push @got, "USR1" };
$SIG{__WARN__} = sub { print "warned: $_[0]" };
kill USR1 => $$;
kill USR1 => $$;
print "@got\n";
warn "careful\n";
eval {
  local $SIG{ALRM} = sub { die "alarm\n" };
  alarm 1;
  select undef, undef, undef, 30;
};
print "eval ended by $@";
my $sleeper = fork // die;
unless ($sleeper) { exec 'sleep', '30' or die }
print waitpid($sleeper, WNOHANG), "\n";
kill TERM => $sleeper;
waitpid $sleeper, 0;
print 'sleeper died of ', $? & 127, "\n";

my $set = POSIX::SigSet->new(SIGUSR1);
sigprocmask SIG_BLOCK, $set;
kill USR1 => $$;
my $pending = POSIX::SigSet->new;
sigpending $pending;
print 'pending: ', $pending->ismember(SIGUSR1), ', so far ', scalar @got, "\n";
sigprocmask SIG_UNBLOCK, $set;
print 'then ', scalar @got, "\n";

local $SIG{CHLD} = 'IGNORE';
unless (fork) { exit 5 }
print 'nobody to wait for: ', wait, "\n";
local $SIG{PIPE} = 'IGNORE';
pipe my $r, my $w or die;
close $r;
syswrite $w, 'x' or print "write: $!\n";
exit 17;
