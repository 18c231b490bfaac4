# What compiled writers of rows share (streams/daily/native_ledger.pyx, streams/progress/native*.pyx): JSON written straight,
# to the byte as msgspec writes it.

from libc.stdint cimport int64_t, uint8_t


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


cdef inline bint plain_text(const uint8_t *p, Py_ssize_t size) noexcept:
    """Whether JSON shows it as it is: ASCII without quotes, backslashes, control signs."""
    cdef Py_ssize_t i
    for i in range(size):
        if p[i] < 32 or p[i] > 126 or p[i] == 34 or p[i] == 92:
            return False
    return True


cdef inline void day_text(int64_t day, char *out) noexcept:
    """YYYY-MM-DD of days since 1970, years beginning in March (Hinnant, chrono-Compatible Low-Level Date Algorithms)."""
    cdef int64_t z = day + 719468
    cdef int64_t era = z // 146097
    cdef int64_t of_era = z - era * 146097
    cdef int64_t of_400 = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    cdef int64_t of_year = of_era - (365 * of_400 + of_400 // 4 - of_400 // 100)
    cdef int64_t mp = (5 * of_year + 2) // 153
    cdef int64_t d = of_year - (153 * mp + 2) // 5 + 1
    cdef int64_t m = mp + 3 if mp < 10 else mp - 9
    cdef int64_t y = of_400 + era * 400 + (1 if m <= 2 else 0)
    out[0], out[1], out[2], out[3] = 48 + y // 1000 % 10, 48 + y // 100 % 10, 48 + y // 10 % 10, 48 + y % 10
    out[4] = out[7] = 45
    out[5], out[6], out[8], out[9] = 48 + m // 10, 48 + m % 10, 48 + d // 10, 48 + d % 10


cdef inline int64_t thousandths(int64_t amount, int64_t of) noexcept:
    """amount / of in thousandths, half to even. |amount| is below 2**53, so nothing overflows."""
    cdef int64_t positive = -amount if amount < 0 else amount
    cdef int64_t found = 1000 * positive // of
    cdef int64_t rest = 1000 * positive % of
    if 2 * rest > of or 2 * rest == of and found & 1:
        found += 1
    return -found if amount < 0 else found
