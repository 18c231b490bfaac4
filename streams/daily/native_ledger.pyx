# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The ledger's inner loop, compiled: winners into cells, and the rows of days on which nothing but meals lies.

The definitions are in Python: `entities.PythonEntities`, `cells.PythonCell`, `core.Ledger._apply`, `rows.row` with
`schemas.rows.encode_row`. tests/unit/test_native_ledger.py holds both to the same state and the same bytes; what is not
plainly the common case goes to the definitions.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Contains, PyDict_GetItemWithError, PyDict_SetItem
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove

include "../print.pxi"
include "entities.pxi"

from schemas.instants import MS_PER_DAY
from schemas.ledger import KIND_AT, RANK_BYTES, unpack_winner
from streams.daily.days import day_of

cdef extern from "Python.h":
    Py_hash_t PyObject_Hash(object what) except -1
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define daybook_prefetch(p) __builtin_prefetch(p)
    #else
    #define daybook_prefetch(p) ((void)(p))
    #endif
    """
    void daybook_prefetch(const void *p) noexcept nogil
    ctypedef struct PyDictObject:
        void *ma_keys

cdef int64_t DAY_MS = MS_PER_DAY
cdef Py_ssize_t RANK = RANK_BYTES
cdef Py_ssize_t KIND = KIND_AT
cdef enum: NUTRIENTS = 5, LANES_SIZE = NUTRIENTS * 12 + 4
cdef enum: ROW = 1024, SUBJECT_MAX = 256
cdef uint64_t TOO_MUCH = 10 ** 15  # base units of more than 15 digits have no short decimal
_MEALS_ONLY = int.from_bytes(b"\1" + bytes(LANES_SIZE), "big")  # in Python: C would cut it off


@cython.final
@cython.no_gc
cdef class Cell:
    """`streams.daily.cells.PythonCell`, which see. A member is the number that the user's `Entities` know it by."""

    cdef public object total
    cdef public tuple platforms
    cdef public int64_t first_ms, last_ms
    cdef public bint stale
    cdef uint32_t *numbers
    cdef readonly uint32_t size
    cdef uint32_t room

    def __init__(self, uint32_t member, amount, str platform, int64_t ms):
        self.begin(member, amount, platform, ms)

    def __dealloc__(self):
        free(self.numbers)

    cdef int begin(self, uint32_t member, amount, str platform, int64_t ms) except -1:
        self.total, self.platforms = amount, (platform,)
        self.first_ms = self.last_ms = ms
        self.size = 0
        return self.remember(member)

    cdef int remember(self, uint32_t member) except -1:
        cdef uint32_t *more
        if self.size == self.room:
            more = <uint32_t *>realloc(self.numbers, (self.room + self.room // 2 + 4) * sizeof(uint32_t))
            if more == NULL:
                raise MemoryError("the members of a cell")
            self.numbers, self.room = more, self.room + self.room // 2 + 4
        self.numbers[self.size] = member
        self.size += 1
        return 0

    @property
    def members(self):
        """Handles of what lies in it, see `Entities.pick`."""
        return [self.numbers[i] for i in range(self.size)]

    cpdef add(self, uint32_t member, amount, str platform, int64_t ms):
        """Take an entity in."""
        cdef tuple platforms = self.platforms
        self.total += amount
        self.remember(member)
        if <PyObject *>platforms[0] != <PyObject *>platform and platform not in platforms:
            self.platforms = (*platforms, platform)
        if ms < self.first_ms:
            self.first_ms = ms
        elif ms > self.last_ms:
            self.last_ms = ms

    def remove(self, uint32_t member, amount):
        """The inverse of add, for the sums."""
        cdef uint32_t i = 0
        while i < self.size and self.numbers[i] != member:
            i += 1
        if i == self.size:
            raise ValueError(f"entity {member} is none of the cell's {self.size} members")
        self.total -= amount
        self.size -= 1
        memmove(self.numbers + i, self.numbers + i + 1, (self.size - i) * sizeof(uint32_t))
        self.stale = True

    def survey(self, Entities entities not None):
        """Find platforms, first and last event again after something was removed."""
        members = [unpack_winner(winner) for _, winner in entities.pick(self.members)]
        self.platforms = tuple({w.source.partition("/")[0] for w in members})
        self.first_ms, self.last_ms = min([w.ms for w in members]), max([w.ms for w in members])
        self.stale = False


cdef class UserBase:
    """What `streams.daily.users.User` keeps."""

    cdef public object book, cells, entities
    cdef public tuple profiles


cdef enum: FAR = 12, NEAR = 6  # how many events ahead memory is asked for


def apply(list decided, users, dict touched, dict dirty, dict state, dict rowless, take_out, registers, new_user,
          bint plain):
    """`Ledger._apply`: (applied, duplicate, superseded). `plain`: users is a dict that nothing overrides.

    A large state is in no cache, so what an event will touch is asked for a few events before: first its user, then the
    user's block and days.
    """
    cdef Py_ssize_t applied = 0, duplicate = 0, superseded = 0, i, n = len(decided)
    cdef tuple one
    cdef bytes key, winner
    cdef dict cells
    cdef Entities entities
    cdef UserBase user
    cdef PyObject *found
    cdef PyObject **ahead = NULL
    cdef int64_t ms, at, member
    cdef int order, was
    cdef Cell cell
    cdef Record held
    if plain and n > FAR:
        ahead = <PyObject **>malloc(n * sizeof(PyObject *))
    try:
        for i in range(n if ahead != NULL else 0):
            found = ahead[i] = PyDict_GetItemWithError(users, (<tuple>decided[i])[0])
            if found != NULL:  # nobody leaves before the end, so it may be asked
                daybook_prefetch(<char *>found)
        for i in range(n):
            one = <tuple>decided[i]
            if ahead != NULL:
                if i + FAR < n:
                    ask_far(ahead[i + FAR])
                if i + NEAR < n:
                    ask_near(ahead[i + NEAR], <bytes>(<tuple>decided[i + NEAR])[1])
            subject, key, winner, amount, platform = one[0], <bytes>one[1], <bytes>one[2], one[3], one[4]
            found = ahead[i] if ahead != NULL else NULL
            if found == NULL and plain:
                found = PyDict_GetItemWithError(users, subject)
            if found != NULL:
                user = <UserBase>found
            else:
                user = None if plain else users.get(subject)
                if user is None:
                    user = users[subject] = new_user()
            if user.cells is None:
                user.warm()
            cells, entities = <dict>user.cells, <Entities>user.entities
            member = entities.find(key)
            was = -1
            if member >= 0:
                entities.read(member, &held)
                order = memcmp(PyBytes_AS_STRING(winner), held.packed, RANK)
                if order <= 0:
                    if order == 0:
                        duplicate += 1
                    else:
                        superseded += 1
                    continue
                was = held.packed[KIND]
                take_out(subject, user, key, entities.winner(member))
                entities.replace(member, winner)
            else:
                member = entities.insert(key, winner)
            applied += 1
            PyDict_SetItem(state, key, winner)
            if amount:
                ms = one[5]
                if user.profiles or one[6] is None:
                    day = day_of(ms, one[6], one[7], user.profiles)
                else:
                    at = ms + <int64_t>one[6] * 60000
                    at = at // DAY_MS if at >= 0 else -((DAY_MS - 1 - at) // DAY_MS)
                    day = at
                found = PyDict_GetItemWithError(cells, day)
                if found == NULL:
                    cell = Cell.__new__(Cell)
                    cell.begin(member, amount, platform, ms)
                    PyDict_SetItem(cells, day, cell)
                else:
                    cell = <Cell>found
                    cell.add(member, amount, platform, ms)
                if not PyDict_Contains(touched, cell):
                    PyDict_SetItem(touched, cell, (subject, day))
                continue
            rowless[subject] = None
            if winner[KIND] in registers or was in registers:
                for day in user.judge_again():
                    dirty[subject, day] = None
    finally:
        free(ahead)
    return applied, duplicate, superseded


cdef inline void ask_far(PyObject *user) noexcept:
    """Have what hangs on a user brought near."""
    if user == NULL:
        return
    cdef char *entities = <char *><PyObject *>(<UserBase>user).entities
    daybook_prefetch(entities)
    daybook_prefetch(entities + 64)
    daybook_prefetch(<char *><PyObject *>(<UserBase>user).cells)


cdef inline void ask_near(PyObject *user, bytes key) noexcept:
    """Have the places brought near where its entity will be looked for and written, and its days."""
    if user == NULL:
        return
    cdef Entities entities = <Entities>(<UserBase>user).entities
    cdef char *keys
    if entities.places:
        daybook_prefetch(<char *>(entities.slots + home(<uint32_t>(<uint64_t>PyObject_Hash(key) >> 32), entities.places)))
        daybook_prefetch(<char *>(entities.entries + entities.numbers))
        daybook_prefetch(<char *>(entities.arena + entities.used))
        daybook_prefetch(<char *>(entities.arena + entities.used + 64))
    if (<UserBase>user).cells is not None:
        keys = <char *>(<PyDictObject *><PyObject *>(<UserBase>user).cells).ma_keys
        daybook_prefetch(keys)
        daybook_prefetch(keys + 64)


def meal_row(str subject, int64_t day, Cell cell not None, int64_t version):
    """The key and the value of the row of a day on which only meals lie and which no plan, goal or profile judges; None
    for a cell with anything else in it."""
    cdef char[ROW] out
    cdef char *q = out
    cdef const char *name
    cdef Py_ssize_t size, i
    cdef uint64_t[NUTRIENTS] sums
    cdef uint32_t[NUTRIENTS] there
    cdef uint32_t meals = 0
    cdef const uint8_t *lanes
    cdef char[16] date
    cdef tuple platforms = cell.platforms
    if cell.stale or len(platforms) != 1 or day < 0 or day > 2_000_000 or not cell.total < _MEALS_ONLY:
        return None
    name = PyUnicode_AsUTF8AndSize(subject, &size)
    if size > SUBJECT_MAX or not plain_text(<const uint8_t *>name, size):
        return None
    packed = cell.total.to_bytes(LANES_SIZE, "little")
    lanes = <const uint8_t *>PyBytes_AS_STRING(<bytes>packed)
    for i in range(NUTRIENTS):
        sums[i] = read_le(lanes + 8 * i, 8)
        there[i] = <uint32_t>read_le(lanes + 8 * NUTRIENTS + 4 * i, 4)
        if sums[i] >= TOO_MUCH:
            return None
    meals = <uint32_t>read_le(lanes + 12 * NUTRIENTS, 4)
    if meals == 0:
        return None
    day_text(day, date)
    q = put(q, b'{"user_id":"')
    memcpy(q, name, size)
    q += size
    q = put(q, b'","date":"')
    memcpy(q, date, 10)
    q = put(q + 10, b'","version":')
    q = whole(q, version)
    if there[0]:
        q = thousandth_parts(put(q, b',"energy_kcal":'), sums[0])
    if there[1]:
        q = thousandth_parts(put(q, b',"protein_g":'), sums[1])
    if there[2]:
        q = thousandth_parts(put(q, b',"carbs_g":'), sums[2])
    if there[3]:
        q = thousandth_parts(put(q, b',"fat_g":'), sums[3])
    if there[4]:
        q = thousandth_parts(put(q, b',"fibre_g":'), sums[4])
    q = whole(put(q, b',"meals_logged":'), meals)
    q = whole(put(q, b',"entities":'), cell.size)
    q = put(q, b',"sources":["')
    name = PyUnicode_AsUTF8AndSize(<str>platforms[0], &i)
    if i > SUBJECT_MAX or not plain_text(<const uint8_t *>name, i):
        return None
    memcpy(q, name, i)
    q = put(q + i, b'"],"first_event_ms":')
    q = whole(q, cell.first_ms)
    q = whole(put(q, b',"last_event_ms":'), cell.last_ms)
    q = put(q, b',"coverage":"partial","meals_coverage":')
    q = put(q, b'"complete"' if there[0] >= 3 else b'"partial"')
    q = put(q, b',"activity_coverage":"absent","sleep_coverage":"absent"}')
    key = PyBytes_FromStringAndSize(NULL, size + 11)
    name = PyUnicode_AsUTF8AndSize(subject, &size)
    memcpy(PyBytes_AS_STRING(key), name, size)
    PyBytes_AS_STRING(key)[size] = 124
    memcpy(PyBytes_AS_STRING(key) + size + 1, date, 10)
    return key, PyBytes_FromStringAndSize(out, q - out)


cdef inline uint64_t read_le(const uint8_t *p, int size) noexcept:
    cdef uint64_t value = 0
    cdef int i
    for i in range(size):
        value |= <uint64_t>p[i] << (8 * i)
    return value
