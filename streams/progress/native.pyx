# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The hot paths of progress, compiled: a daily row's JSON into its cell, cells into rolling windows and their JSON.

The same as facts.py and windows.py say, to the byte (tests/unit/test_progress_native.py). The reader takes rows as the
daily stream writes them and answers None to all else (escapes, names out of order, whatever breaks a rule): that is
asked of Python, which alone knows the reasons.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport rint
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset

include "../print.pxi"

from schemas.progress import BASE_MAX, DAY_RECORDS, LOAD, LONG, METRICS, SHORT
from schemas.rows import encode_row
from streams.progress import facts, windows

cdef extern from "Python.h":
    double PyOS_string_to_double(const char *s, char **endptr, object overflow) except? -1.0

cdef enum: MAX_METRICS = 24, MAX_FIELDS = 96, MAX_RECORDS = 8
cdef enum: SKIP = -1, USER = -2, DATE = -3, VERSION = -4, ENTITIES = -5, BESTS = -6, REST = -7, RESTS = -8, GOALS = -9
cdef enum: DEPTH = 32

ROLES = {
    "user_id": USER, "date": DATE, "version": VERSION, "entities": ENTITIES, "bests": BESTS, "rest_day": REST,
    "rest_days": RESTS, "goals": GOALS,
}
cdef int N = len(METRICS)
cdef uint32_t BASE_LIMIT = BASE_MAX
cdef uint32_t WEEK_BIT = facts.WEEK, GOALS_BIT = facts.GOALS, REST_BIT = facts.REST
cdef uint32_t BESTS_BIT = facts.BESTS
cdef uint32_t NO_SUMS = facts.WEEK | facts.GOALS | facts.BESTS | facts.MARKS
cdef uint32_t VALUES = (1 << len(METRICS)) - 1
cdef int DAYS_SHORT = SHORT, DAYS_LONG = LONG, DAYS_REACH = windows.REACH, MOST_STEPS = windows.STEPS
cdef int LOAD_AT = [metric.name for metric in METRICS].index(LOAD)
assert len(METRICS) <= MAX_METRICS and len(DAY_RECORDS) <= MAX_RECORDS
cdef int64_t[MAX_METRICS] SCALES
cdef bint[MAX_METRICS] IS_LEVEL
cdef bint[MAX_METRICS] IS_RECORD
cdef const char *HEADS[MAX_METRICS]
cdef list NAMES = [metric.name for metric in METRICS]
cdef list _kept = [b'"%b":{' % metric.name.encode() for metric in METRICS]
for _i, _metric in enumerate(METRICS):
    SCALES[_i], IS_LEVEL[_i], IS_RECORD[_i] = _metric.scale, _metric.is_level, _metric.name in DAY_RECORDS
    HEADS[_i] = <const char *>PyBytes_AS_STRING(_kept[_i])
cdef double[23] TENS
for _i in range(23):
    TENS[_i] = float(10 ** _i)
cdef list WEEKDAYS = [name.encode() for name in facts.WEEKDAYS]

cdef struct Text:
    const uint8_t *at
    Py_ssize_t size

cdef struct Field:
    const char *name
    Py_ssize_t size
    int role
    double scale


# -- reading


cdef inline bint word(const uint8_t *p, const char *what) noexcept:
    """Whether this word comes next; never looks beyond the first difference, so never beyond the end."""
    while what[0] != 0:
        if p[0] != <uint8_t>what[0]:
            return False
        p += 1
        what += 1
    return True


cdef inline const uint8_t *digits(const uint8_t *p) noexcept:
    while 48 <= p[0] <= 57:
        p += 1
    return p


cdef const uint8_t *number(const uint8_t *p, double *out) except? NULL:
    """A JSON number, correctly rounded into `out`, where it must not be negative; NULL: none. Without `out` any."""
    cdef const uint8_t *start = p
    cdef const uint8_t *q
    cdef char *end
    cdef uint64_t mantissa = 0
    cdef Py_ssize_t decimals = 0
    cdef bint exact = True
    if p[0] == 45:
        if out != NULL:
            return NULL
        p += 1
    q = p
    p = digits(p)
    if p == q or q[0] == 48 and p - q > 1:
        return NULL
    if p[0] == 46:
        q = p + 1
        p = digits(q)
        decimals = p - q
        if decimals == 0:
            return NULL
    q = p
    if p[0] == 101 or p[0] == 69:
        exact = False
        p += 1
        if p[0] == 43 or p[0] == 45:
            p += 1
        q = digits(p)
        if q == p:
            return NULL
        p = q
    if out == NULL:
        return p
    if exact and p - start < 20:
        q = start
        while q < p:
            if q[0] != 46:
                mantissa = mantissa * 10 + (q[0] - 48)
            q += 1
        if mantissa <= 9007199254740992:  # both exact, so one division rounds once (Clinger 1990)
            out[0] = <double>mantissa / TENS[decimals]
            return p
    out[0] = PyOS_string_to_double(<const char *>start, &end, None)
    return p if <const uint8_t *>end == p and out[0] < 1e300 else NULL


cdef class DayReader:
    """Daily rows to (user, day, key of the changelog, cell)."""

    cdef Field[MAX_FIELDS] fields
    cdef int count
    cdef list kept
    cdef uint8_t *bests
    cdef uint8_t *goals
    cdef uint8_t *bests_end
    cdef uint8_t *goals_end
    cdef Py_ssize_t room
    cdef bint wide

    def __cinit__(self, names, scales):
        """`names`: fields of the row in their order on the wire; `scales`: of the metrics that progress rolls."""
        self.kept = [name.encode() for name in names]
        if len(self.kept) > MAX_FIELDS:
            raise ValueError("Expected fewer fields")
        self.count = len(self.kept)
        for i, name in enumerate(names):
            self.fields[i].name = <const char *>PyBytes_AS_STRING(self.kept[i])
            self.fields[i].size = PyBytes_GET_SIZE(self.kept[i])
            self.fields[i].role = NAMES.index(name) if name in scales else ROLES.get(name, SKIP)
            self.fields[i].scale = scales.get(name, 0)
        self.room = 0

    def __dealloc__(self):
        PyMem_Free(self.bests)
        PyMem_Free(self.goals)

    def read(self, values, int64_t oldest):
        """For each value what it says; None where Python must be asked."""
        cdef list found = []
        for value in values:
            one = None
            if type(value) is bytes:
                try:
                    one = self.row(<bytes>value, oldest)
                except (UnicodeDecodeError, ValueError):
                    one = None
            found.append(one)
        return found

    cdef const uint8_t *text(self, const uint8_t *p, Text *out) noexcept:
        """A text without escapes, from its quote on; NULL: none. Bytes objects end with 0, which ends it too."""
        cdef const uint8_t *q
        cdef uint8_t seen = 0
        if p[0] != 34:
            return NULL
        q = p + 1
        while q[0] != 34:
            if q[0] < 32 or q[0] == 92:
                return NULL
            seen |= q[0]
            q += 1
        if seen > 127:
            self.wide = True
        out.at, out.size = p + 1, q - p - 1
        return q + 1

    cdef const uint8_t *skip(self, const uint8_t *p, int depth) except? NULL:
        """A value that nobody reads."""
        cdef Text ignored
        cdef uint8_t close
        if p[0] == 34:
            return self.text(p, &ignored)
        if p[0] != 123 and p[0] != 91:
            if word(p, b"true") or word(p, b"null"):
                return p + 4
            if word(p, b"false"):
                return p + 5
            return number(p, NULL)
        if depth == 0:
            return NULL
        close = p[0] + 2
        p += 1
        if p[0] == close:
            return p + 1
        while True:
            if close == 125:
                p = self.text(p, &ignored)
                if p == NULL or p[0] != 58:
                    return NULL
                p += 1
            p = self.skip(p, depth - 1)
            if p == NULL:
                return NULL
            if p[0] == close:
                return p + 1
            if p[0] != 44:
                return NULL
            p += 1

    cdef object row(self, bytes value, int64_t oldest):
        cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(value)
        cdef const uint8_t *end = p + PyBytes_GET_SIZE(value)
        cdef Text name, user, date
        cdef Field *field
        cdef double quantity
        cdef uint32_t mask = 0
        cdef uint32_t[MAX_METRICS] bases
        cdef int i, guess = 0, week = 0, day = 0, weekday
        cdef int64_t version = -1
        cdef bint is_there = False
        if self.room < 2 * (end - p) + 64:
            PyMem_Free(self.bests)
            PyMem_Free(self.goals)
            self.room = 4 * (end - p) + 64
            self.bests = <uint8_t *>PyMem_Malloc(self.room)
            self.goals = <uint8_t *>PyMem_Malloc(self.room)
            if self.bests == NULL or self.goals == NULL:
                raise MemoryError()
        self.bests_end, self.goals_end, self.wide = self.bests, self.goals, False
        user.at = date.at = NULL
        user.size = date.size = 0
        if p[0] != 123:
            return None
        p += 1
        while True:
            p = self.text(p, &name)
            if p == NULL or p[0] != 58:
                return None
            p += 1
            i = guess
            while i < self.count:
                field = &self.fields[i]
                if name.size == field.size and memcmp(name.at, field.name, name.size) == 0:
                    break
                i += 1
            if i == self.count:
                return None  # of another version, or in another order
            guess = i + 1
            if field.role >= 0:
                p = number(p, &quantity)
                if p == NULL:
                    return None
                quantity = rint(quantity * field.scale)
                if quantity <= BASE_LIMIT:
                    mask |= <uint32_t>1 << field.role
                    bases[field.role] = <uint32_t>quantity
            elif field.role == SKIP:
                p = self.skip(p, DEPTH)
            elif field.role == USER:
                p = self.text(p, &user)
            elif field.role == DATE:
                p = self.text(p, &date)
            elif field.role == VERSION or field.role == ENTITIES:
                if not 48 <= p[0] <= 57 or p[0] == 48 and 48 <= p[1] <= 57 or digits(p) - p > 18:
                    return None
                version = version if field.role == ENTITIES else 0
                while 48 <= p[0] <= 57:
                    if field.role == VERSION:
                        version = version * 10 + (p[0] - 48)
                    p += 1
                if field.role == ENTITIES:
                    is_there = True
            elif field.role == BESTS:
                p = self.read_bests(p)
            elif field.role == GOALS:
                p = self.read_goals(p)
            elif field.role == REST:
                if word(p, b"true"):
                    mask |= REST_BIT
                    p += 4
                elif word(p, b"false"):
                    p += 5
                else:
                    return None
            else:
                if p[0] != 91:
                    return None
                p += 1
                while p[0] != 93:
                    p = self.text(p, &name)
                    if p == NULL or name.size != 3 or p[0] != 44 and p[0] != 93:
                        return None
                    for weekday in range(7):
                        if memcmp(name.at, PyBytes_AS_STRING(WEEKDAYS[weekday]), 3) == 0:
                            week |= 1 << weekday
                            break
                    else:
                        return None
                    if p[0] == 44:
                        p += 1
                        if p[0] == 93:
                            return None
                p += 1
            if p == NULL:
                return None
            if p[0] == 125:
                break
            if p[0] != 44:
                return None
            p += 1
        if p + 1 != end or user.at == NULL or not day_number(date, &day) or version < oldest:
            return None
        if self.wide:
            PyUnicode_DecodeUTF8(<const char *>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), NULL)
        return (
            PyUnicode_DecodeUTF8(<const char *>user.at, user.size, NULL), day, key_of(user, date),
            self.cell(mask, bases, week) if is_there else None,
        )

    cdef bytes cell(self, uint32_t mask, uint32_t *bases, int week):
        cdef Py_ssize_t bests = self.bests_end - self.bests, goals = self.goals_end - self.goals
        cdef uint8_t[8 + 4 * MAX_METRICS] head
        cdef uint8_t *w = head + 4
        cdef int i
        for i in range(N):
            if mask >> i & 1:
                little_endian(w, bases[i])
                w += 4
        if week:
            mask |= WEEK_BIT
            w[0] = week
            w += 1
        if bests:
            mask |= BESTS_BIT
        if goals:
            mask |= GOALS_BIT
        if bests and goals:
            w[0] = 146  # a pair follows
            w += 1
        little_endian(head, mask)
        made = PyBytes_FromStringAndSize(NULL, w - head + bests + goals)
        cdef uint8_t *to = <uint8_t *>PyBytes_AS_STRING(made)
        memcpy(to, head, w - head)
        memcpy(to + (w - head), self.goals, goals)
        memcpy(to + (w - head) + goals, self.bests, bests)
        return made

    cdef const uint8_t *read_bests(self, const uint8_t *p) except? NULL:
        """Name → [value, entity], as msgpack; names must ascend, so that none is there twice."""
        cdef Text name, entity, last
        cdef double quantity
        cdef uint8_t *w = self.bests + 3
        cdef int n = 0
        if p[0] != 123:
            return NULL
        if p[1] == 125:
            return p + 2
        while True:
            p = self.text(p + 1, &name)
            if p == NULL or p[0] != 58 or p[1] != 91 or n and not ascends(last, name):
                return NULL
            p = number(p + 2, &quantity)
            if p == NULL or p[0] != 44:
                return NULL
            p = self.text(p + 1, &entity)
            if p == NULL or p[0] != 93 or name.size > 65535 or entity.size > 65535 or n == 65535:
                return NULL
            p += 1
            w = pack_text(w, name)
            w[0], w[1] = 146, 203
            big_endian(w + 2, (<uint64_t *>&quantity)[0])
            w = pack_text(w + 10, entity)
            last = name
            n += 1
            if p[0] == 125:
                self.bests_end = with_head(self.bests, w, n, 128, 222)
                return p + 1
            if p[0] != 44:
                return NULL

    cdef const uint8_t *read_goals(self, const uint8_t *p) except? NULL:
        """Names of the goals that were hit, as msgpack; they must ascend."""
        cdef Text name, last, key
        cdef uint8_t *w = self.goals + 3
        cdef int n = 0
        cdef bint more = False
        if p[0] != 123:
            return NULL
        if p[1] == 125:
            return p + 2
        while True:
            p = self.text(p + 1, &name)
            if p == NULL or p[0] != 58 or p[1] != 123 or more and not ascends(last, name) or name.size > 65535:
                return NULL
            last, more = name, True
            p += 1
            if p[1] == 125:
                p += 1
            else:
                while p[0] != 125:
                    p = self.text(p + 1, &key)
                    if p == NULL or p[0] != 58:
                        return NULL
                    p += 1
                    if key.size == 3 and memcmp(key.at, b"hit", 3) == 0:
                        if word(p, b"true"):
                            if n == 65535:
                                return NULL
                            w = pack_text(w, name)
                            n += 1
                            p += 4
                            if p[0] != 125:  # the last of a goal: so it is there once
                                return NULL
                        elif word(p, b"false"):
                            p += 5
                            if p[0] != 125:
                                return NULL
                        elif word(p, b"null"):
                            p += 4
                            if p[0] != 125:
                                return NULL
                        else:
                            return NULL
                    else:
                        p = self.skip(p, DEPTH)
                        if p == NULL:
                            return NULL
                    if p[0] != 44 and p[0] != 125:
                        return NULL
            p += 1
            if p[0] == 125:
                if n:
                    self.goals_end = with_head(self.goals, w, n, 144, 220)
                return p + 1
            if p[0] != 44:
                return NULL


cdef inline bint ascends(Text last, Text name) noexcept:
    cdef int found = memcmp(last.at, name.at, last.size if last.size < name.size else name.size)
    return found < 0 or found == 0 and last.size < name.size


cdef uint8_t *with_head(uint8_t *start, uint8_t *end, int n, int short_form, int long_form) noexcept:
    """msgpack's head of a map or list before its `n` parts, which begin after room for three bytes."""
    if n > 15:
        start[0], start[1], start[2] = long_form, n >> 8, n & 255
        return end
    start[0] = short_form | n
    memmove(start + 1, start + 3, end - start - 3)
    return end - 2


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


cdef inline void big_endian(uint8_t *out, uint64_t value) noexcept:
    cdef int i
    for i in range(8):
        out[i] = (value >> (8 * (7 - i))) & 255


cdef inline void little_endian(uint8_t *out, uint32_t value) noexcept:
    out[0], out[1], out[2], out[3] = value & 255, (value >> 8) & 255, (value >> 16) & 255, value >> 24


cdef inline uint32_t word_at(const uint8_t *p) noexcept:
    return p[0] | (<uint32_t>p[1] << 8) | (<uint32_t>p[2] << 16) | (<uint32_t>p[3] << 24)


cdef bytes key_of(Text user, Text date):
    made = PyBytes_FromStringAndSize(NULL, user.size + 1 + date.size)
    cdef uint8_t *to = <uint8_t *>PyBytes_AS_STRING(made)
    memcpy(to, user.at, user.size)
    to[user.size] = 124
    memcpy(to + user.size + 1, date.at, date.size)
    return made


cdef bint day_number(Text t, int *day) noexcept:
    """YYYY-MM-DD in days since 1970-01-01, from then on (Hinnant, chrono-Compatible Low-Level Date Algorithms)."""
    cdef int i, year = 0, month, date, era, of_era, of_year
    if t.size != 10 or t.at[4] != 45 or t.at[7] != 45:
        return False
    for i in range(10):
        if i != 4 and i != 7 and not 48 <= t.at[i] <= 57:
            return False
    for i in range(4):
        year = year * 10 + t.at[i] - 48
    month, date = (t.at[5] - 48) * 10 + t.at[6] - 48, (t.at[8] - 48) * 10 + t.at[9] - 48
    if year < 1970 or not 1 <= month <= 12 or not 1 <= date <= 31:
        return False
    if date > 28 and date > (31 if month in (1, 3, 5, 7, 8, 10, 12) else 30 if month != 2 else
                             29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28):
        return False
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + date - 1
    day[0] = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return True


# -- cells


def opened(bytes cell):
    """facts.opened, as a plain tuple."""
    cdef const uint8_t *p
    cdef uint32_t mask, base
    cdef int i, week = 0
    cdef Py_ssize_t at = 4
    cdef dict found = {}
    if cell is None:
        return 0, found, b"", 0
    p = <const uint8_t *>PyBytes_AS_STRING(cell)
    mask = word_at(p)
    for i in range(N):
        if mask >> i & 1:
            if IS_RECORD[i]:
                base = word_at(p + at)
                if base:
                    found[NAMES[i]] = (<double>base / <double>SCALES[i], None)
            at += 4
    if mask & WEEK_BIT:
        week = p[at]
        at += 1
    return mask, found, cell[at:], week


def sums_only(bytes old, bytes cell, int day, dict records):
    """Whether a day's other cell changes nothing but sums: no streak, rest, goal or best, and no record of whole days.
    True is certain, False is not: then user.py looks closer."""
    cdef const uint8_t *p
    cdef const uint8_t *q
    cdef uint32_t mask, other, was, now
    cdef Py_ssize_t left
    cdef int i
    if old is None or cell is None:
        return False
    p, q = <const uint8_t *>PyBytes_AS_STRING(old), <const uint8_t *>PyBytes_AS_STRING(cell)
    mask, other = word_at(p), word_at(q)
    if (mask ^ other) & NO_SUMS:
        return False
    p, q = p + 4, q + 4
    for i in range(N):
        was = now = 0
        if mask >> i & 1:
            was = word_at(p)
            p += 4
        if other >> i & 1:
            now = word_at(q)
            q += 4
        if IS_RECORD[i] and was != now:
            held = records.get(NAMES[i])
            if held is None or day <= <int>held[1] or <double>now / <double>SCALES[i] > <double>held[0]:
                return False
    left = PyBytes_AS_STRING(old) + PyBytes_GET_SIZE(old) - <const char *>p
    return left == PyBytes_AS_STRING(cell) + PyBytes_GET_SIZE(cell) - <const char *>q and memcmp(p, q, left) == 0


# -- windows


cdef class Windows:
    """windows.Windows with a number per metric and window instead of wide integers."""

    cdef readonly int as_of
    cdef uint64_t[3][MAX_METRICS] sums
    cdef uint16_t[3][MAX_METRICS] counts

    def __init__(self, history, int as_of):
        self.sum_up(history, as_of)

    cdef sum_up(self, history, int as_of):
        memset(self.sums, 0, sizeof(self.sums))
        memset(self.counts, 0, sizeof(self.counts))
        self.as_of = as_of
        for day, cell in history.between(as_of - DAYS_REACH + 1, as_of):
            self.add(window_of(as_of - <int>day), <bytes>cell, False)

    cdef void add(self, int window, bytes cell, bint less) noexcept:
        cdef const uint8_t *p
        cdef uint32_t mask
        cdef int i = 0
        if cell is None or window < 0:
            return
        p = <const uint8_t *>PyBytes_AS_STRING(cell)
        mask = word_at(p) & VALUES
        while mask:
            if mask & 1:
                p += 4
                if less:
                    self.sums[window][i] -= word_at(p)
                    self.counts[window][i] -= 1
                else:
                    self.sums[window][i] += word_at(p)
                    self.counts[window][i] += 1
            mask >>= 1
            i += 1

    def change(self, int day, bytes before, bytes after):
        """A day has another cell, or none any more; days outside change nothing."""
        cdef int window = window_of(self.as_of - day)
        self.add(window, before, True)
        self.add(window, after, False)

    def slide(self, history, int as_of):
        """Move to another as-of day."""
        cdef int day
        cdef bytes cell
        if not 0 < as_of - self.as_of <= MOST_STEPS:
            if as_of != self.as_of:
                self.sum_up(history, as_of)
            return
        for day in range(self.as_of + 1, as_of + 1):
            self.add(0, history.get(day), False)
            cell = history.get(day - DAYS_SHORT)
            self.add(0, cell, True)
            self.add(1, cell, False)
            cell = history.get(day - DAYS_LONG)
            self.add(1, cell, True)
            self.add(2, cell, False)
            self.add(2, history.get(day - DAYS_REACH), True)
        self.as_of = as_of

    def values(self, int first_day):
        """Metric → its windows, as JSON, and the training load. `first_day`: the user's first."""
        cdef char[512 * MAX_METRICS] said
        cdef char *w = said + 1
        cdef int i, n_short, n_long, n_before
        cdef int64_t short_sum, long_sum, before_sum, was
        for i in range(N):
            n_short = self.counts[0][i]
            n_long = n_short + self.counts[1][i]
            if n_long == 0:
                continue
            short_sum = self.sums[0][i]
            long_sum = short_sum + self.sums[1][i]
            before_sum, n_before = self.sums[1][i] + self.sums[2][i], self.counts[1][i] + self.counts[2][i]
            w = put(w, HEADS[i])
            if n_short:
                if not IS_LEVEL[i]:
                    w = ratio(put(w, b'"sum_7d":'), short_sum, SCALES[i])
                    w = put(w, b",")
                w = ratio(put(w, b'"mean_7d":'), short_sum, SCALES[i] * n_short)
                w = put(whole(put(w, b',"days_7d":'), n_short), b",")
            if not IS_LEVEL[i]:
                w = ratio(put(w, b'"sum_28d":'), long_sum, SCALES[i])
                w = put(w, b",")
            w = ratio(put(w, b'"mean_28d":'), long_sum, SCALES[i] * n_long)
            w = whole(put(w, b',"days_28d":'), n_long)
            was = before_sum * n_short
            if was:
                w = ratio(put(w, b',"change_pct":'), 100 * (short_sum * n_before - was), was)
            w = put(w, b"},")
        windows = None
        if w > said + 1:
            said[0], (w - 1)[0] = 123, 125
            windows = PyBytes_FromStringAndSize(said, w - said)
        if not self.counts[0][LOAD_AT] and not self.counts[1][LOAD_AT] and not self.counts[2][LOAD_AT]:
            return windows, (None, None, None)
        short_sum, before_sum = self.sums[0][LOAD_AT], self.sums[1][LOAD_AT] + self.sums[2][LOAD_AT]
        share = None
        if before_sum and first_day <= self.as_of - DAYS_REACH + 1:
            share = thousandths(4 * short_sum, before_sum) / 1000.0
        return windows, (
            thousandths(short_sum, SCALES[LOAD_AT]) / 1000.0, thousandths(before_sum, 4 * SCALES[LOAD_AT]) / 1000.0, share
        )


cdef inline int window_of(int back) noexcept:
    """The window that a day so far back lies in; -1: none."""
    if back < 0 or back >= DAYS_REACH:
        return -1
    return 0 if back < DAYS_SHORT else 1 if back < DAYS_LONG else 2


cdef char *ratio(char *w, int64_t amount, int64_t of) except NULL:
    """amount / of to a thousandth, as msgspec writes a float."""
    cdef int64_t found = thousandths(amount, of)
    if found > 4503599627370496 or found < -4503599627370496:  # a double does not have all the digits any more
        large = encode_row((<object>found) / 1000)
        return put(w, <const char *>PyBytes_AS_STRING(large))
    return thousandth_parts(w, found)
