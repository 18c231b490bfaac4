"""Run a program as another user, from root: ``python -I -S unroot.py UID GID PROGRAM ARGUMENT...``.

PostgreSQL refuses to run as root. On Linux the program keeps one of root's rights, to pass by file permissions, so
that it reaches a data folder or a virtual environment below a closed folder (/root, a test's temporary folder) and
nobody has to open those to all. Elsewhere, and where a container withholds that right, both must lie where the
other user can go; if not, one line says so. It imports nothing of ours and becomes the program by exec.
"""

import ctypes
import os
import sys

_PR_SET_SECUREBITS, _NO_SETUID_FIXUP = 28, 1 << 2
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def become(uid: int, gid: int) -> None:
    """Give up root for good, keeping only the right to pass by file permissions where the system lets us."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None:
        # Rights then outlast the change of user, and access(2), by which initdb looks for postgres, honours them.
        libc.prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if libc is not None:
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        keep = 1 << _CAP_DAC_OVERRIDE
        if libc.capset(header, (ctypes.c_uint32 * 6)(keep, keep, keep)) == 0:  # effective, permitted, inheritable
            libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)
        elif libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
            sys.exit("the rights of root could not be given up")


def main() -> None:
    uid, gid, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    become(uid, gid)
    folder = os.getcwd()  # noqa: PTH109 (a bare interpreter: pathlib would cost more than all else here)
    for path in (folder, program):
        if not os.access(path, os.X_OK):
            sys.exit(f"started as root, PostgreSQL must run as user {uid}, who cannot enter {path}")
    os.execv(program, sys.argv[3:])


if __name__ == "__main__":
    main()
