# SPDX-License-Identifier: MIT
#
# asyncio: tasks, timers, queues, subprocesses, streams over a socket pair and a Unix server, signals, threads.

import asyncio
import os
import signal
import socket


async def ticker(name, delay, log):
    for i in range(3):
        await asyncio.sleep(delay)
        log.append(f"{name}{i}")


async def producer(queue):
    for i in range(10):
        await queue.put(i)
    await queue.put(None)


async def consumer(queue):
    total = 0
    while (item := await queue.get()) is not None:
        total += item
    return total


async def commands():
    process = await asyncio.create_subprocess_exec(
        "sort", "-r", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate(b"a\nc\nb\n")
    print(out.split(), process.returncode)
    shells = [await asyncio.create_subprocess_shell(f"sleep 0.0{n}; exit {n}") for n in range(4)]
    print(await asyncio.gather(*(shell.wait() for shell in shells)))
    sleeper = await asyncio.create_subprocess_exec("sleep", "30")
    try:
        await asyncio.wait_for(sleeper.wait(), 0.1)
    except asyncio.TimeoutError:
        sleeper.terminate()
        print("terminated:", await sleeper.wait())


async def pair():
    left, right = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=left)
    echo_reader, echo_writer = await asyncio.open_connection(sock=right)

    async def echo():
        while line := await echo_reader.readline():
            echo_writer.write(line.upper())
            await echo_writer.drain()
        echo_writer.close()

    task = asyncio.create_task(echo())
    for word in (b"first\n", b"second\n"):
        writer.write(word)
        print((await reader.readline()).decode().strip())
    writer.write_eof()
    print("end:", await reader.read())
    await task
    writer.close()


async def server():
    async def answer(reader, writer):
        name = await reader.readline()
        writer.write(b"hello " + name)
        writer.close()

    listening = await asyncio.start_unix_server(answer, "socket")

    async def ask(name):
        reader, writer = await asyncio.open_unix_connection("socket")
        writer.write(name.encode() + b"\n")
        text = await reader.read()
        writer.close()
        return text.decode().strip()

    print(await asyncio.gather(*(ask(f"client{n}") for n in range(3))))
    listening.close()
    await listening.wait_closed()


async def main():
    log = []
    await asyncio.gather(ticker("slow", 1.5, log), ticker("fast", 0.05, log))
    print(log)
    queue = asyncio.Queue(2)
    print((await asyncio.gather(producer(queue), consumer(queue)))[1])
    await commands()
    await pair()
    await server()
    got = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await got.wait()
    print("signal", await asyncio.to_thread(sum, range(1000)))
    task = asyncio.create_task(asyncio.sleep(10))
    await asyncio.sleep(0)
    task.cancel()
    print((await asyncio.gather(task, return_exceptions=True))[0].__class__.__name__)


asyncio.run(main())
