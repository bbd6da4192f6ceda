# SPDX-License-Identifier: MIT
#
# subprocess in all its forms: pipes both ways, statuses, signals, timeouts, environment, process groups.

import os
import signal
import subprocess
import sys


def show(title, result):
    print(f"{title}: status {result.returncode}, out {result.stdout!r}, err {result.stderr!r}")


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


show("echo", run("echo", "hello", "world"))
show("shell", run("sh", "-c", "echo out; echo err >&2; exit 3"))
show("input", run("tr", "a-z", "A-Z", input="some text\n"))
show("environment", run("sh", "-c", "echo $NAME $PATH", env={"NAME": "value", "PATH": "/usr/bin:/bin"}))
show("folder", run("pwd", cwd="/usr/bin"))
show("killed", run("sh", "-c", "kill -TERM $$"))

try:
    run("sleep", "10", timeout=0.2)
except subprocess.TimeoutExpired as error:
    print("timeout after", error.timeout)

try:
    run("/no/such/program")
except FileNotFoundError as error:
    print("not found:", error.errno, error.filename)

try:
    subprocess.run(["false"], check=True)
except subprocess.CalledProcessError as error:
    print(error)

sort = subprocess.Popen(["sort", "-n"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
uniq = subprocess.Popen(["uniq", "-c"], stdin=sort.stdout, stdout=subprocess.PIPE, text=True)
sort.stdout.close()
for i in range(2000):
    print(i * i % 7, file=sort.stdin)
sort.stdin.close()
print(uniq.communicate()[0].split(), sort.wait(), uniq.returncode)

big = "x" * 1_000_000
answer = run("cat", input=big)
print("a million through cat:", answer.stdout == big)

children = [subprocess.Popen([sys.executable, "-S", "-E", "-c", f"import sys; sys.exit({i} * 3)"]) for i in range(4)]
print("children:", [child.wait() for child in children])

group = subprocess.Popen(["sh", "-c", "sleep 30 & wait"], start_new_session=True)
print("own group:", os.getpgid(group.pid) == group.pid, os.getsid(group.pid) == group.pid)
os.killpg(group.pid, signal.SIGTERM)
print("group ended with", signal.Signals(-group.wait()).name)

read, write = os.pipe()
child = subprocess.Popen(["sh", "-c", f"echo through a passed descriptor >&{write}"], pass_fds=[write])
os.close(write)
with os.fdopen(read) as pipe:
    print(pipe.read().strip(), child.wait())
print(subprocess.getstatusoutput("echo text; exit 5"))
print(os.system("exit 6") >> 8, os.popen("echo popen").read().strip())
print(os.waitstatus_to_exitcode(os.spawnlp(os.P_WAIT, "sh", "sh", "-c", "exit 7") << 8))
