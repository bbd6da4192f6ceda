#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# System V shared memory, semaphores and message queues between a parent and its children, and threads of perl.

use strict;
use warnings;
use IPC::SysV qw(IPC_PRIVATE IPC_CREAT IPC_RMID IPC_NOWAIT S_IRUSR S_IWUSR);
use threads;
use threads::shared;
use Thread::Queue;

my $memory = shmget(IPC_PRIVATE, 4096, S_IRUSR | S_IWUSR) // die "shmget: $!";
my $lock = semget(IPC_PRIVATE, 1, S_IRUSR | S_IWUSR | IPC_CREAT) // die "semget: $!";
my $queue = msgget(IPC_PRIVATE, IPC_CREAT | S_IRUSR | S_IWUSR) // die "msgget: $!";
sub change { semop $lock, pack 's!3', 0, $_[0], 0 or die "semop: $!" }

change(1);
shmwrite $memory, pack('N', 0), 0, 4;
for my $child (1 .. 4) {
  next if fork;
  for (1 .. 25) {
    change(-1);
    shmread $memory, my $bytes, 0, 4;
    shmwrite $memory, pack('N', unpack('N', $bytes) + 1), 0, 4;
    change(1);
  }
  msgsnd $queue, pack('l! a*', $child, "child $child is done"), 0 or die "msgsnd: $!";
  exit 0;
}
1 while wait > 0;
shmread $memory, my $bytes, 0, 4;
print 'counted: ', unpack('N', $bytes), "\n";
for my $type (3, 1, 4, 2) {
  msgrcv $queue, my $message, 100, $type, 0 or die "msgrcv: $!";
  print +(unpack 'l! a*', $message)[1], "\n";
}
msgrcv $queue, my $none, 100, 0, IPC_NOWAIT or print "empty: $!\n";
shmctl $memory, IPC_RMID, 0;
semctl $lock, 0, IPC_RMID, 0;
msgctl $queue, IPC_RMID, 0;
semop $lock, pack 's!3', 0, 1, 0 or print "removed: $!\n";

my $total :shared = 0;
my ($jobs, $answers) = (Thread::Queue->new, Thread::Queue->new);
my @workers = map {
  threads->create(sub {
    while (defined(my $n = $jobs->dequeue)) {
      lock $total;
      $total += $n;
      $answers->enqueue($n * $n);
    }
    return threads->tid;
  })
} 1 .. 3;
$jobs->enqueue(1 .. 30);
$jobs->end;
print 'threads ', join(' ', map { $_->join } @workers), "; total $total; squares ";
my $sum = 0;
$sum += $_ while defined($_ = $answers->dequeue_nb);
print "$sum\n";
