"""One function a command: read the options, call what does the work, say what came of it.

servers.py   up, down, status, logs, env
workers.py   migrate, worker
events.py    send, replay, generate
imports.py   import
checks.py    wait, verify
explain.py   explain
rejected.py  rejected list, show, replay, allow
demo.py      demo
promise      nothing heavy is imported before a command needs it: `daybook --help` is quick
"""
