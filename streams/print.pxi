# What compiled writers of rows share (streams/daily/native_ledger.pyx, streams/progress/native.pyx): JSON written straight,
# to the byte as msgspec writes it.

from libc.stdint cimport int64_t


cdef inline char *put(char *w, const char *what) noexcept:
    while what[0] != 0:
        w[0] = what[0]
        w += 1
        what += 1
    return w


cdef inline char *whole(char *w, int64_t value) noexcept:
    cdef char[20] turned
    cdef int n = 0
    if value < 0:
        w[0] = 45
        w += 1
        value = -value
    while True:
        turned[n] = <char>(48 + value % 10)
        n += 1
        value = value // 10
        if value == 0:
            break
    while n:
        n -= 1
        w[0] = turned[n]
        w += 1
    return w


cdef inline char *thousandth_parts(char *w, int64_t value) noexcept:
    """value / 1000 as the shortest decimal that reads as the same float: below 10**15 that is the exact one."""
    cdef int rest
    if value < 0:
        w[0] = 45
        w += 1
        value = -value
    w = whole(w, value // 1000)
    rest = value % 1000
    w[0] = 46
    w[1] = <char>(48 + rest // 100)
    if rest % 100 == 0:
        return w + 2
    w[2] = <char>(48 + rest // 10 % 10)
    if rest % 10 == 0:
        return w + 3
    w[3] = <char>(48 + rest % 10)
    return w + 4
