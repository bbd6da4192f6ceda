# SPDX-License-Identifier: MIT
#
# Runs a command at a new pseudo-terminal and plays a dialogue with it: lines of JSON from standard input, each
# ["send", text], ["expect", text], ["resize", rows, columns], ["kill", signal], ["file", path] or ["raw"]. What is expected
# is looked for behind what was found last, a file is waited for. Prints one JSON object at the end.
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

# For one step, in seconds: a machine may be slow and busy, so only what hangs takes longer.
PATIENCE = 300

steps = [json.loads(line) for line in sys.stdin if line.strip()]
start, started = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.read(start, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
# The terminal is looked at, and has its size, before the command starts.
before = termios.tcgetattr(terminal)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
os.write(started, b"!")
screen, missing, modes = b"", None, []


def pump(seconds):
    """Takes what is shown; false when the other side is gone."""
    global screen
    if not select.select([terminal], [], [], seconds)[0]:
        return True
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        return False
    screen += piece
    return piece != b""


at = 0
for step in steps:
    if step[0] == "send":
        os.write(terminal, step[1].encode())
    elif step[0] == "resize":
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", step[1], step[2], 0, 0))
    elif step[0] == "kill":
        os.kill(pid, getattr(signal, step[1]))
    elif step[0] == "file":
        end = time.monotonic() + PATIENCE
        while not os.path.exists(step[1]) and time.monotonic() < end and pump(0.05):
            pass
        if not os.path.exists(step[1]):
            missing = step[1]
            break
    elif step[0] == "raw":
        modes.append(not termios.tcgetattr(terminal)[3] & termios.ICANON)
    else:
        end = time.monotonic() + PATIENCE
        wanted = step[1].encode()
        while wanted not in screen[at:] and time.monotonic() < end and pump(0.2):
            pass
        found = screen.find(wanted, at)
        if found < 0:
            missing = step[1]
            break
        at = found + len(wanted)

end = time.monotonic() + PATIENCE
gone = 0
while gone == 0 and missing is None and time.monotonic() < end:
    if not pump(0.05):
        time.sleep(0.05)
    gone, status = os.waitpid(pid, os.WNOHANG)
if gone == 0:
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
print(
    json.dumps(
        {
            "missing": missing,
            "status": os.waitstatus_to_exitcode(status),
            "raw": modes,
            "restored": termios.tcgetattr(terminal) == before,
            "screen": screen.decode("latin1"),
        }
    )
)
