# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""saying.py, compiled: the JSON of records, streaks, strength and the row around them.

The definitions are in saying.py, which says what each is; tests/unit/test_progress_native.py holds both to the same bytes.
Names that JSON does not show as they are, and days outside 1970 to 7446, go to the definitions.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError, PyDict_Next, PyDict_SetItem
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport PyObject
from libc.math cimport rint, signbit
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

include "../print.pxi"

from schemas.progress import ESTIMATE, SHORT
from schemas.rows import encode_row
from streams.progress import saying, windows

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    bint PyFloat_CheckExact(object value)

cdef enum: FIXED = 512, NUMBER = 32, LAST_DAY = 2_000_000
cdef int DAYS_SHORT = SHORT, DAYS_REACH = windows.REACH


cdef inline const char *shown_as_is(text, Py_ssize_t *size) except? NULL:
    """UTF-8 of a text that JSON shows as it is; NULL: it escapes some of it, or it is no text."""
    cdef const char *p
    cdef Py_ssize_t i
    if type(text) is not str:
        return NULL
    p = PyUnicode_AsUTF8AndSize(text, size)
    for i in range(size[0]):
        if <uint8_t>p[i] < 32 or p[i] == 34 or p[i] == 92 or p[i] == 127:
            return NULL
    return p


cdef inline char *copied(char *w, const char *what, Py_ssize_t size) noexcept:
    memcpy(w, what, size)
    return w + size


cdef inline char *date(char *w, int64_t day) noexcept:
    day_text(day, w + 1)
    w[0] = w[11] = 34
    return w + 12


cdef char *number(char *w, double value) except NULL:
    """As msgspec writes a float."""
    cdef double parts = rint(value * 1000)
    if -1e12 < parts < 1e12 and parts / 1000 == value and not (parts == 0 and signbit(value)):
        return thousandth_parts(w, <int64_t>parts)
    shown = encode_row(value)
    return copied(w, PyBytes_AS_STRING(shown), PyBytes_GET_SIZE(shown))


cdef inline bint is_day(int64_t day) noexcept:
    return 0 <= day <= LAST_DAY


def record_said(name, held):
    cdef Py_ssize_t of_name, of_entity = 0, of_previous = 0
    cdef const char *shown = shown_as_is(name, &of_name)
    cdef const char *entity = NULL
    cdef const char *other = NULL
    cdef int64_t day, then = 0
    cdef tuple previous
    cdef char *start
    cdef char *w
    value, on, by, previous = held
    day = on
    if by is not None:
        entity = shown_as_is(by, &of_entity)
    if previous is not None:
        then = previous[1]
        if previous[2] is not None:
            other = shown_as_is(previous[2], &of_previous)
    if (
        shown == NULL or not is_day(day) or not is_day(then) or not PyFloat_CheckExact(value)
        or entity == NULL and by is not None
        or previous is not None
        and (other == NULL and previous[2] is not None or not PyFloat_CheckExact(previous[0]))
    ):
        return saying.record_said(name, held)
    start = <char *>PyMem_Malloc(of_name + of_entity + of_previous + FIXED)
    if start == NULL:
        raise MemoryError()
    try:
        start[0] = 34
        w = put(copied(start + 1, shown, of_name), b'":{"value":')
        w = date(put(number(w, value), b',"date":'), day)
        if entity != NULL:
            w = put(copied(put(w, b',"entity":"'), entity, of_entity), b'"')
        if previous is not None:
            w = number(put(w, b',"previous_value":'), previous[0])
            w = date(put(w, b',"previous_date":'), then)
            if other != NULL:
                w = put(copied(put(w, b',"previous_entity":"'), other, of_previous), b'"')
        w = put(w, b"}")
        return PyBytes_FromStringAndSize(start, w - start)
    finally:
        PyMem_Free(start)


def streak_said(name, shown, best):
    cdef char[FIXED] said
    cdef char *w = said
    cdef Py_ssize_t size
    cdef const char *plain = shown_as_is(name, &size)
    cdef int64_t since = shown[0], until = shown[1], length = shown[2]
    cdef int64_t first = best[0], last = best[1], longest = best[2]
    if plain == NULL or size > FIXED - 256 or not (is_day(since) and is_day(until) and is_day(first) and is_day(last)):
        return saying.streak_said(name, shown, best)
    w[0] = 34
    w = whole(put(copied(w + 1, plain, size), b'":{"current":'), length if shown[3] else 0)
    w = date(put(w, b',"since":'), since)
    w = date(put(w, b',"until":'), until)
    w = whole(put(w, b',"longest":'), longest)
    w = date(put(w, b',"longest_since":'), first)
    w = date(put(w, b',"longest_until":'), last)
    w = put(w, b"}")
    return PyBytes_FromStringAndSize(said, w - said)


def strength_said(dict lifts, int as_of):
    cdef dict now = {}, before = {}, into, found
    cdef Py_ssize_t at = 0, inner, size, room = 2
    cdef PyObject *day
    cdef PyObject *estimates
    cdef PyObject *exercise
    cdef PyObject *kg
    cdef PyObject *known
    cdef int back
    cdef char *start
    cdef char *w
    cdef const char *plain
    cdef int64_t grams, was
    while PyDict_Next(lifts, &at, &day, &estimates):
        back = as_of - <int>(<object>day)
        if not 0 <= back < DAYS_REACH:
            continue
        into = now if back < DAYS_SHORT else before
        inner, found = 0, <dict>estimates
        while PyDict_Next(found, &inner, &exercise, &kg):
            if not PyFloat_CheckExact(<object>kg):
                return saying.strength_said(lifts, as_of)
            known = PyDict_GetItemWithError(into, <object>exercise)
            if <double>(<object>kg) > (<double>(<object>known) if known != NULL else 0.0):
                PyDict_SetItem(into, <object>exercise, <object>kg)
    cdef list names = sorted({**now, **before})
    if not names:
        return None
    for name in names:
        plain = shown_as_is(name, &size)
        if plain == NULL:
            return saying.strength_said(lifts, as_of)
        room += size + FIXED
    start = <char *>PyMem_Malloc(room)
    if start == NULL:
        raise MemoryError()
    try:
        w = start
        for name in names:
            plain = shown_as_is(name, &size)
            w[0], w[1] = 123 if w == start else 44, 34
            w = put(copied(w + 2, plain, size), b'":{')
            lately, earlier = now.get(name), before.get(name)
            if lately is not None:
                w = number(put(w, b'"best_7d_kg":'), lately)
            if earlier is not None:
                w = number(put(w, b',"best_before_kg":' if lately is not None else b'"best_before_kg":'), earlier)
                if lately is not None:
                    if not 0.0005 < <double>earlier < 1e9 or not <double>lately < 1e9:
                        return saying.strength_said(lifts, as_of)
                    grams, was = <int64_t>rint(<double>lately * 1000), <int64_t>rint(<double>earlier * 1000)
                    if was == 0:
                        return saying.strength_said(lifts, as_of)
                    w = thousandth_parts(put(w, b',"change_pct":'), thousandths(100 * (grams - was), was))
            w = put(w, b"}")
        w = put(w, b"}")
        return PyBytes_FromStringAndSize(start, w - start)
    finally:
        PyMem_Free(start)


cdef inline char *part(char *w, const char *name, bytes said) noexcept:
    return w if said is None else copied(put(w, name), PyBytes_AS_STRING(said), PyBytes_GET_SIZE(said))


def row_said(user_id, int64_t version, tuple days, tuple load, tuple parts):
    cdef int64_t as_of = days[0], first = days[1]
    cdef Py_ssize_t size, room = FIXED
    cdef const char *user = shown_as_is(user_id, &size)
    cdef char *start
    cdef char *w
    cdef bytes said
    if user == NULL or not is_day(as_of) or not is_day(first) or version < 0:
        return saying.row_said(user_id, version, days, load, parts)
    for said in parts:
        if said is not None:
            room += PyBytes_GET_SIZE(said)
    start = <char *>PyMem_Malloc(room + size)
    if start == NULL:
        raise MemoryError()
    try:
        w = put(copied(put(start, b'{"user_id":"'), user, size), b'","version":')
        w = date(put(whole(w, version), b',"as_of":'), as_of)
        w = date(put(w, b',"first_date":'), first)
        w = whole(put(w, b',"covered_days":'), days[2])
        if load[0] is not None:
            w = number(put(w, b',"acute_load":'), load[0])
        if load[1] is not None:
            w = number(put(w, b',"chronic_load":'), load[1])
        if load[2] is not None:
            w = number(put(w, b',"acute_chronic_ratio":'), load[2])
        w = part(w, b',"windows":', <bytes>parts[0])
        w = part(w, b',"strength":', <bytes>parts[1])
        w = part(w, b',"streaks":', <bytes>parts[2])
        w = put(part(w, b',"records":', <bytes>parts[3]), b"}")
        return PyBytes_FromStringAndSize(start, w - start)
    finally:
        PyMem_Free(start)
