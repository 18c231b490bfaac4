# What compiled readers of events share (streams/daily/native.pyx, streams/trending/native.pyx): JSON read at first sight,
# and msgpack written straight. Included, so that each module's compiler sees all of it.

from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy

from schemas.instants import FIRST_DAY
from schemas.ledger import NO_OFFSET

cdef enum: PLAIN, WIDE, ESCAPED

cdef struct Text:
    const uint8_t *at
    Py_ssize_t size

cdef int64_t FIRST = FIRST_DAY
cdef int OFFSET_OF_Z = NO_OFFSET
cdef double[23] TENS
for _power in range(23):
    TENS[_power] = float(10 ** _power)


cdef inline const uint8_t *blank(const uint8_t *p) noexcept:
    while p[0] == 32 or p[0] == 10 or p[0] == 13 or p[0] == 9:
        p += 1
    return p


cdef inline bint word(const uint8_t *p, const char *what) noexcept:
    """Whether this word comes next; never looks beyond the first difference, so never beyond the end."""
    while what[0] != 0:
        if p[0] != <uint8_t>what[0]:
            return False
        p += 1
        what += 1
    return True


cdef const uint8_t *text(const uint8_t *p, Text *out, int *form) noexcept:
    """A JSON string, from its quote on; NULL for what is none. Bytes objects end with 0, which ends it too.

    `form`: PLAIN, or WIDE where a byte is beyond ASCII, or ESCAPED where a backslash is in it (wide or not).
    """
    cdef const uint8_t *q
    cdef uint8_t seen = 0
    cdef bint escaped = False
    if p[0] != 34:
        return NULL
    q = p + 1
    while q[0] != 34:
        if q[0] == 92:
            escaped = True
            q += 1
        if q[0] < 32:
            return NULL
        seen |= q[0]
        q += 1
    out.at, out.size = p + 1, q - p - 1
    form[0] = ESCAPED if escaped else WIDE if seen > 127 else PLAIN
    return q + 1


cdef int hexadecimal(const uint8_t *p) noexcept:
    """Four hexadecimal digits, or -1."""
    cdef int i, value = 0
    for i in range(4):
        if 48 <= p[i] <= 57:
            value = value * 16 + p[i] - 48
        elif 65 <= (p[i] & 223) <= 70:
            value = value * 16 + (p[i] & 223) - 55
        else:
            return -1
    return value


cdef bint unescaped(Text t, uint8_t *to, Text *out) noexcept:
    """Write a text without its escapes to `to`, in UTF-8; False for what is no text or holds U+0000."""
    cdef const uint8_t *p = t.at
    cdef const uint8_t *end = t.at + t.size
    cdef uint8_t *q = to
    cdef int code, low
    while p < end:
        if p[0] != 92:
            q[0] = p[0]
            p += 1
            q += 1
            continue
        p += 2
        code = (p - 1)[0]
        if code == 98:
            code = 8
        elif code == 102:
            code = 12
        elif code == 110:
            code = 10
        elif code == 114:
            code = 13
        elif code == 116:
            code = 9
        elif code == 117:
            code = hexadecimal(p)
            p += 4
            if code <= 0:
                return False
            if 0xD800 <= code < 0xE000:
                if code >= 0xDC00 or p[0] != 92 or p[1] != 117:
                    return False
                low = hexadecimal(p + 2)
                if not 0xDC00 <= low < 0xE000:
                    return False
                p += 6
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        elif code != 34 and code != 92 and code != 47:
            return False
        if code < 128:
            q[0] = code
            q += 1
        elif code < 0x800:
            q[0], q[1] = 192 | (code >> 6), 128 | (code & 63)
            q += 2
        elif code < 0x10000:
            q[0], q[1], q[2] = 224 | (code >> 12), 128 | ((code >> 6) & 63), 128 | (code & 63)
            q += 3
        else:
            q[0], q[1] = 240 | (code >> 18), 128 | ((code >> 12) & 63)
            q[2], q[3] = 128 | ((code >> 6) & 63), 128 | (code & 63)
            q += 4
    out.at, out.size = to, q - to
    return True


cdef const uint8_t *number(const uint8_t *p, double *out) noexcept:
    """A JSON number that is exact in one operation: at most 2**53 with at most 22 decimals (Clinger 1990); else NULL."""
    cdef uint64_t digits = 0
    cdef int decimals = 0
    cdef const uint8_t *first = p
    if p[0] == 48:
        p += 1
    else:
        while 48 <= p[0] <= 57:
            digits = digits * 10 + (p[0] - 48)
            p += 1
            if p - first > 15:
                return NULL
        if p == first:
            return NULL
    if p[0] == 46:
        p += 1
        first = p
        while 48 <= p[0] <= 57:
            if digits > 900719925474098:
                return NULL
            digits = digits * 10 + (p[0] - 48)
            decimals += 1
            p += 1
        if p == first or decimals > 22:
            return NULL
    if p[0] == 101 or p[0] == 69 or 48 <= p[0] <= 57:
        return NULL
    out[0] = <double>digits / TENS[decimals]
    return p


cdef const uint8_t *skip(const uint8_t *p) noexcept:
    """A value that nobody reads: plain text, a plain number, true, false or null."""
    cdef Text ignored
    cdef int form
    cdef double value
    if p[0] == 34:
        p = text(p, &ignored, &form)
        return p if p != NULL and form == PLAIN else NULL
    if word(p, b"true") or word(p, b"null"):
        return p + 4
    if word(p, b"false"):
        return p + 5
    return number(p, &value)


cdef const uint8_t *span(const uint8_t *p) noexcept:
    """Where an object ends, counting braces outside of texts; what is in it is judged later."""
    cdef int depth = 0
    while True:
        if p[0] == 34:
            p += 1
            while p[0] != 34:
                if p[0] == 92:
                    p += 1
                if p[0] < 32:
                    return NULL
                p += 1
        elif p[0] == 123:
            depth += 1
        elif p[0] == 125:
            depth -= 1
            if depth == 0:
                return p + 1
        elif p[0] == 0:
            return NULL
        p += 1


cdef inline int two(const uint8_t *p) noexcept:
    """Two digits, or -1."""
    if 48 <= p[0] <= 57 and 48 <= p[1] <= 57:
        return (p[0] - 48) * 10 + p[1] - 48
    return -1


cdef bint instant(Text t, int64_t *ms, int *offset) noexcept:
    """schemas.instants.instant_parts for what is plainly right. `offset`: NO_OFFSET for Z."""
    cdef int century, year, month, day, hour, minute, second, zone_hour, zone_minute, fraction = 0, scale = 100
    cdef const uint8_t *p = t.at
    cdef const uint8_t *end = t.at + t.size
    cdef int64_t days, y, era, of_era, of_year
    if t.size < 20 or p[4] != 45 or p[7] != 45 or p[10] != 84 or p[13] != 58 or p[16] != 58:
        return False
    century, year, month, day = two(p), two(p + 2), two(p + 5), two(p + 8)
    hour, minute, second = two(p + 11), two(p + 14), two(p + 17)
    if century < 0 or year < 0 or month < 1 or day < 1 or hour < 0 or minute < 0 or second < 0:
        return False
    year += century * 100
    if year < 1970 or month > 12 or hour > 23 or minute > 59 or second > 59:
        return False
    if day > 28 and day > (31 if month in (1, 3, 5, 7, 8, 10, 12) else 30 if month != 2 else
                           29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28):
        return False
    p += 19
    if p[0] == 46:
        p += 1
        if not 48 <= p[0] <= 57:
            return False
        while 48 <= p[0] <= 57:
            fraction += (p[0] - 48) * scale
            scale //= 10
            p += 1
            if end - p < 1 or p - t.at > 29:  # at most nine decimals
                return False
    if end - p == 1 and p[0] == 90:
        offset[0] = OFFSET_OF_Z
        zone_minute = 0
    elif end - p == 6 and (p[0] == 43 or p[0] == 45) and p[3] == 58:
        zone_hour, zone_minute = two(p + 1), two(p + 4)
        if zone_hour < 0 or zone_hour > 23 or zone_minute < 0 or zone_minute > 59:
            return False
        zone_minute += zone_hour * 60
        if p[0] == 45:
            zone_minute = -zone_minute
        offset[0] = zone_minute
    else:
        return False
    # days since 1970 of a civil date, years beginning in March (Hinnant, chrono-Compatible Low-Level Date Algorithms)
    y = year - (month <= 2)
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    if days < FIRST:
        return False
    ms[0] = ((days * 86400 + hour * 3600 + minute * 60 + second) - zone_minute * 60) * 1000 + fraction
    return True


cdef inline uint8_t *pack_text(uint8_t *out, Text t) noexcept:
    if t.size < 32:
        out[0] = 160 | <uint8_t>t.size
        out += 1
    elif t.size < 256:
        out[0], out[1] = 217, <uint8_t>t.size
        out += 2
    else:
        out[0], out[1], out[2] = 218, <uint8_t>(t.size >> 8), <uint8_t>(t.size & 255)
        out += 3
    memcpy(out, t.at, t.size)
    return out + t.size


cdef inline void big_endian(uint8_t *out, uint64_t value, int size) noexcept:
    cdef int i
    for i in range(size):
        out[i] = (value >> (8 * (size - 1 - i))) & 255


cdef inline void little_endian(uint8_t *out, uint64_t value, int size) noexcept:
    cdef int i
    for i in range(size):
        out[i] = (value >> (8 * i)) & 255


cdef Py_ssize_t characters(Text t, int form) except -2:
    """Length in characters, -1 for what is no UTF-8."""
    if form == PLAIN:
        return t.size
    try:
        return len(PyUnicode_DecodeUTF8(<const char *>t.at, t.size, NULL))
    except UnicodeDecodeError:
        return -1


cdef inline bint same(Text t, bytes other) noexcept:
    return t.size == PyBytes_GET_SIZE(other) and memcmp(t.at, PyBytes_AS_STRING(other), t.size) == 0
