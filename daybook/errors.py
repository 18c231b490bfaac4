"""What ends a command: one line that says what is wrong and where, and the exit code that goes with it."""

from __future__ import annotations


class Problem(Exception):
    """Something that the caller can do something about; the text names it and says where.

    ├── Problem     it did not work: exit code 1
    ├── Misuse      it was asked for in a way that cannot work: exit code 2
    └── Refused     a worker may not work on what it found, until somebody does what the line says: exit code 78
    """

    exit_code = 1


class Misuse(Problem):
    exit_code = 2


class Refused(Problem):
    exit_code = 78
