# SPDX-License-Identifier: MIT
#
# multiprocessing: pools, queues, pipes, locks, shared values and arrays, managers-free; and process pools.

import multiprocessing as mp
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory


def square(n):
    return n * n


def fail(n):
    raise ValueError(f"no {n}")


def add(lock, value, array, times):
    for i in range(times):
        with lock:
            value.value += 1
            array[i % len(array)] += 1


def worker(inbox, outbox):
    for item in iter(inbox.get, None):
        outbox.put((item, item.upper()))


def talk(pipe):
    while (message := pipe.recv()) is not None:
        pipe.send([message, len(message)])
    pipe.close()


def fill(name, start):
    block = shared_memory.SharedMemory(name=name)
    block.buf[start:start + 4] = bytes([start] * 4)
    block.close()


def meet(barrier, event, queue, n):
    barrier.wait()
    event.wait()
    queue.put(n)


def main():
    with mp.Pool(3) as pool:
        print(pool.map(square, range(10), chunksize=2))
        print(sum(pool.imap_unordered(square, range(50))))
        print(pool.starmap(pow, [(2, 5), (3, 3)]), pool.apply(square, (12,)))
        try:
            pool.apply(fail, (3,))
        except ValueError as error:
            print("from a worker:", error)

    lock, value, array = mp.Lock(), mp.Value("i", 0, lock=False), mp.Array("i", 4, lock=False)
    adders = [mp.Process(target=add, args=(lock, value, array, 60)) for _ in range(3)]
    for process in adders:
        process.start()
    for process in adders:
        process.join()
    print(value.value, list(array), [process.exitcode for process in adders])

    inbox, outbox = mp.Queue(), mp.Queue()
    workers = [mp.Process(target=worker, args=(inbox, outbox)) for _ in range(2)]
    for process in workers:
        process.start()
    for word in ("alpha", "beta", "gamma", "delta"):
        inbox.put(word)
    for _ in workers:
        inbox.put(None)
    print(sorted(outbox.get() for _ in range(4)))
    for process in workers:
        process.join()

    here, there = mp.Pipe()
    talker = mp.Process(target=talk, args=(there,))
    talker.start()
    for message in ("hello", "a longer message", None):
        here.send(message)
        if message is not None:
            print(here.recv())
    talker.join()

    block = shared_memory.SharedMemory(create=True, size=12)
    for start in (0, 4, 8):
        process = mp.Process(target=fill, args=(block.name, start))
        process.start()
        process.join()
    print(bytes(block.buf[:12]).hex())
    block.close()
    block.unlink()

    barrier, event, queue = mp.Barrier(3), mp.Event(), mp.Queue()
    group = [mp.Process(target=meet, args=(barrier, event, queue, n)) for n in range(2)]
    for process in group:
        process.start()
    barrier.wait()
    event.set()
    print(sorted(queue.get() for _ in group))
    for process in group:
        process.join()

    victim = mp.Process(target=os.abort)
    victim.start()
    victim.join()
    print("aborted:", victim.exitcode)

    with ProcessPoolExecutor(2) as executor:
        print(list(executor.map(square, range(6))))


if __name__ == "__main__":
    main()
