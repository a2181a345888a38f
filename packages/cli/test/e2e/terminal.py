"""Runs a command on a terminal of its own. Standard input is what is typed; its end closes the terminal. Ends with
`exit CODE`, or `exit -SIGNAL`, on standard output, behind what the command has written."""

import os
import pty
import select
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

watched = [terminal, 0]
while watched:
    for ready in select.select(watched, [], [])[0]:
        try:
            data = os.read(ready, 65536)
        except OSError:
            data = b""
        if ready == 0 and data:
            os.write(terminal, data)
        elif data:
            os.write(1, data)
        else:
            watched = []
            break
os.close(terminal)
status = os.waitpid(pid, 0)[1]
print("\nexit", os.waitstatus_to_exitcode(status))
