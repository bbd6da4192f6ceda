# SPDX-License-Identifier: MIT
#
# threading: locks, conditions, semaphores, events, barriers, queues, timers, locals, pools; answers free of the order.

import queue
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

total = 0
lock = threading.Lock()


def add(times):
    global total
    for _ in range(times):
        with lock:
            total += 1


def all_of(*threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


all_of(*(threading.Thread(target=add, args=(500,)) for _ in range(8)))
print("counted", total)

jobs, results = queue.Queue(maxsize=4), queue.Queue()


def serve():
    while (job := jobs.get()) is not None:
        results.put(sum(range(job)))
        jobs.task_done()


servers = [threading.Thread(target=serve) for _ in range(3)]
for server in servers:
    server.start()
for n in range(40):
    jobs.put(n * 10)
jobs.join()
for _ in servers:
    jobs.put(None)
for server in servers:
    server.join()
print("served", sum(results.get() for _ in range(40)), results.empty())

class Buffer:
    def __init__(self, size):
        self.items, self.size, self.changed = [], size, threading.Condition()

    def put(self, item):
        with self.changed:
            self.changed.wait_for(lambda: len(self.items) < self.size)
            self.items.append(item)
            self.changed.notify_all()

    def get(self):
        with self.changed:
            self.changed.wait_for(lambda: self.items)
            self.changed.notify_all()
            return self.items.pop(0)


buffer, taken = Buffer(2), []
all_of(
    threading.Thread(target=lambda: [buffer.put(n) for n in range(30)]),
    threading.Thread(target=lambda: [taken.append(buffer.get()) for _ in range(30)]),
)
print("in order", taken == list(range(30)))

barrier, local, seen = threading.Barrier(4), threading.local(), []


def meet(n):
    local.value = n
    barrier.wait()
    with lock:
        seen.append(local.value)
    if barrier.wait() == 0:
        with lock:
            seen.append("all met")


all_of(*(threading.Thread(target=meet, args=(n,)) for n in range(4)))
print(sorted(map(str, seen)), hasattr(local, "value"))

event, ticks = threading.Event(), []
timer = threading.Timer(0.05, event.set)
timer.start()
print("event", event.wait(5), event.wait(0))
gate = threading.Semaphore(2)
inside, most = 0, 0


def enter():
    global inside, most
    with gate:
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.01)
        with lock:
            inside -= 1


all_of(*(threading.Thread(target=enter) for _ in range(6)))
print("at most two:", most <= 2)
with ThreadPoolExecutor(4) as pool:
    futures = [pool.submit(pow, 3, n, 1000) for n in range(20)]
    print(sum(future.result() for future in as_completed(futures)))
    broken = pool.submit(lambda: 1 // 0)
    print("exception:", type(broken.exception()).__name__)
reentrant = threading.RLock()
with reentrant, reentrant:
    print("twice", reentrant.acquire(blocking=False))
signal.signal(signal.SIGUSR1, lambda number, frame: ticks.append(number))
killer = threading.Thread(target=lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1))
all_of(killer)
print("signal in the main thread:", ticks == [signal.SIGUSR1])
