# Stage one's counting, compiled: cells, users, and the views of a chunk counted into them. Included by native.pyx.
#
# What streams/trending/cells.py has in Python, with the same methods. A user's firsts are a hash table with open
# addressing, a cell's viewers an array: a view touches five of each, and what it waits for is memory.

from libc.stdint cimport uint32_t
from libc.string cimport memmove

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

cdef enum: LANES = 4, NOBODY = -1, LEAST_PLACES = 8, FAR = 12, NEAR = 4, VIEWER = 8


cdef class Cell:
    cdef public object sketch
    cdef public int64_t item, code
    cdef public bint dirty
    cdef int64_t[LANES] lane
    cdef uint64_t *viewers
    cdef uint32_t few, room

    def __init__(self, int64_t item, int64_t code):
        self.item, self.code = item, code

    def __dealloc__(self):
        PyMem_Free(self.viewers)

    @property
    def lanes(self):
        cdef int64_t three = self.lane[0] + (self.lane[1] << LANE_BITS) + (self.lane[2] << 2 * LANE_BITS)
        return three + (<object>self.lane[3] << 3 * LANE_BITS)

    @lanes.setter
    def lanes(self, packed):
        cdef int i
        for i in range(LANES - 1):
            self.lane[i] = packed >> i * LANE_BITS & PER_LANE
        self.lane[LANES - 1] = packed >> (LANES - 1) * LANE_BITS

    cdef inline int add(self, uint64_t who) except -1:
        cdef uint64_t *grown
        if self.few == self.room:
            grown = <uint64_t *>PyMem_Realloc(self.viewers, 2 * (self.room or 1) * VIEWER)
            if grown == NULL:
                raise MemoryError
            self.viewers, self.room = grown, 2 * (self.room or 1)
        self.viewers[self.few] = who
        self.few += 1
        return 0

    def came(self, bytes who not None):
        self.add(number_of(who))

    def left(self, bytes who not None):
        cdef uint64_t number = number_of(who)
        cdef uint32_t i
        for i in range(self.few):
            if self.viewers[i] == number:
                self.few -= 1
                memmove(self.viewers + i, self.viewers + i + 1, (self.few - i) * VIEWER)
                return

    def plain(self):
        return PyBytes_FromStringAndSize(<char *>self.viewers, self.few * VIEWER)

    def clear(self):
        PyMem_Free(self.viewers)
        self.viewers, self.few, self.room = NULL, 0, 0


cdef inline uint64_t number_of(bytes who) except? 0:
    """The eight bytes of a viewer as they lie, whatever number that is on this machine."""
    cdef uint64_t number
    if PyBytes_GET_SIZE(who) != VIEWER:
        raise ValueError("a viewer is eight bytes")
    memcpy(&number, PyBytes_AS_STRING(who), VIEWER)
    return number


cdef struct First:
    int64_t at    # NOBODY where nothing is
    int64_t code  # below zero: the negative address of a tuple of several; 0: taken out, and its place is kept for it


cdef class User:
    cdef public dict entities
    cdef public object codes
    cdef public bytes hash
    cdef uint64_t who
    cdef First *firsts
    cdef uint32_t mask, used

    def __init__(self, bytes subject):
        self.entities, self.hash = {}, hash_of(subject)
        self.who = number_of(self.hash)
        self.grow()

    def __dealloc__(self):
        cdef uint32_t i
        if self.firsts != NULL:
            for i in range(self.mask + 1):
                forget(&self.firsts[i])
            PyMem_Free(self.firsts)

    cdef int grow(self) except -1:
        """Twice the places, or the first ones."""
        cdef First *before = self.firsts
        cdef uint32_t i, places = 2 * (self.mask + 1) if before != NULL else LEAST_PLACES
        cdef uint32_t had = self.mask + 1 if before != NULL else 0
        cdef First *made = <First *>PyMem_Malloc(places * sizeof(First))
        if made == NULL:
            raise MemoryError
        for i in range(places):
            made[i].at = NOBODY
        self.firsts, self.mask, self.used = made, places - 1, 0
        for i in range(had):
            if before[i].at != NOBODY and before[i].code != 0:
                self.place(before[i].at)[0] = before[i]
                self.used += 1
        PyMem_Free(before)
        return 0

    cdef inline First *place(self, int64_t at) noexcept:
        """Where it is, or would be."""
        cdef uint32_t i = home(at) & self.mask
        while self.firsts[i].at != at and self.firsts[i].at != NOBODY:
            i = (i + 1) & self.mask
        return &self.firsts[i]

    cdef inline First *taken(self, int64_t at) except NULL:
        """Its place, made where there is none; what it says is the caller's to set, and 0 or less only if it was."""
        cdef First *first = self.place(at)
        if first.at == NOBODY:
            if 4 * (self.used + 1) > 3 * (self.mask + 1):
                self.grow()
                first = self.place(at)
            first.at, first.code = at, 0
            self.used += 1
        return first

    def first_of(self, int64_t at):
        cdef First *first = self.place(at)
        return None if first.at == NOBODY or first.code == 0 else said(first)

    def set_first(self, int64_t at, have):
        cdef First *first = self.taken(at)
        forget(first)
        if type(have) is tuple:
            Py_INCREF(have)
            first.code = -<int64_t><PyObject *>have
        else:
            first.code = have

    def drop_first(self, int64_t at):
        cdef First *first = self.place(at)
        if first.at != NOBODY:
            forget(first)

    def all_firsts(self):
        cdef uint32_t i
        return [
            (self.firsts[i].at, said(&self.firsts[i]))
            for i in range(self.mask + 1)
            if self.firsts[i].at != NOBODY and self.firsts[i].code != 0
        ]


cdef inline uint32_t home(int64_t at) noexcept:
    """Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4)."""
    return <uint32_t>((<uint64_t>at * <uint64_t>0x9E3779B97F4A7C15) >> 40)


cdef inline object said(First *first):
    return first.code if first.code > 0 else <object><PyObject *>(-first.code)


cdef inline void forget(First *first) noexcept:
    if first.at != NOBODY and first.code < 0:
        Py_DECREF(<object><PyObject *>(-first.code))
    first.code = 0


cdef class Tally:
    cdef public int64_t video, count

    def __init__(self, int64_t video):
        self.video = video


cdef class Place:
    """Where a view is counted: the cells of what was shown, at one code, and the creator's tally of the video."""

    cdef tuple cells
    cdef Tally tally


cdef inline void ask_far(PyObject *user) noexcept:
    if user != NULL:
        daybook_prefetch(<char *>(<User><object>user).firsts)
        daybook_prefetch(<char *>(<PyObject *>(<User><object>user).entities))


cdef inline void ask_near(PyObject *user) noexcept:
    cdef char *keys
    if user != NULL:
        daybook_prefetch(<char *>(<User><object>user).firsts + 64)
        keys = <char *>(<PyDictObject *><PyObject *>(<User><object>user).entities).ma_keys
        daybook_prefetch(keys)
        daybook_prefetch(keys + 64)


def apply(state, list decided):
    """Count what is decided (streams.trending.core.Viewings._apply): here who sees something for the first time."""
    cdef dict users = state.users
    cdef Py_ssize_t i, n = PyList_GET_SIZE(decided), applied = 0
    cdef PyObject **ahead = <PyObject **>PyMem_Malloc(n * sizeof(PyObject *))
    if ahead == NULL:
        raise MemoryError
    try:
        for i in range(n):
            each = decided[i]
            ahead[i] = NULL if each is None else PyDict_GetItem(users, (<tuple>each)[0])
            if ahead[i] != NULL:  # nobody leaves before the end
                daybook_prefetch(<char *>ahead[i])
                daybook_prefetch(<char *>ahead[i] + 64)
        return _applied(state, decided, ahead)
    finally:
        PyMem_Free(ahead)


cdef Py_ssize_t _applied(state, list decided, PyObject **ahead) except -1:
    cdef dict users = state.users, cells = state.cells, hours = state._hours, shown = state._shown, places = state.places
    cdef dict changes = state._state
    cdef list dirty = state._dirty
    cdef set claimed = state._claimed
    cdef list same_hour = None
    cdef dict row, entities, here
    cdef Cell cell
    cdef User user
    cdef Place place
    cdef First *first
    cdef PyObject *held
    cdef int64_t code, hour, last_hour = -1, slot
    cdef Py_ssize_t i, n = PyList_GET_SIZE(decided), applied = 0
    cdef tuple one, what
    cdef bytes winner
    slow, add, items_of = state._one, state._add, state.items_of
    for i in range(n):
        if i + FAR < n:
            ask_far(ahead[i + FAR])
        if i + NEAR < n:
            ask_near(ahead[i + NEAR])
        each = decided[i]
        if each is None:
            continue
        one = <tuple>each
        subject, key, winner = <bytes>one[0], <bytes>one[1], <bytes>one[2]
        slot = PyLong_AsLongLong(one[4])
        held = ahead[i] if ahead[i] != NULL else PyDict_GetItem(users, subject)
        if held == NULL:
            user = users[subject] = User(subject)
        else:
            user = <User><object>held
        entities = user.entities
        if slot > VIEW or user.codes is not None or PyDict_GetItem(entities, key) != NULL:
            slow(one)
            continue
        applied += 1
        entities[key] = winner
        changes[key] = winner
        hour = PyLong_AsLongLong(one[3]) // 3600000
        if hour != last_hour:
            last_hour = hour
            same_hour = hours.get(hour)
            if same_hour is None:
                same_hour = hours[hour] = []
        same_hour.append(key)
        if slot != VIEW or PyBytes_AS_STRING(winner)[RANK_BYTES] != 1:
            continue
        code_of = one[5]
        code = PyLong_AsLongLong(code_of)
        held = PyDict_GetItem(places, code_of)
        if held == NULL:
            here = places[code_of] = {}
        else:
            here = <dict>held
        held = PyDict_GetItem(here, one[6])
        if held != NULL:
            place = <Place><object>held
        else:
            held = PyDict_GetItem(shown, one[6])
            what = <tuple>items_of(winner, one[6]) if held == NULL else <tuple><object>held
            held = PyDict_GetItem(cells, code_of)
            if held == NULL:
                row = cells[code_of] = {}
            else:
                row = <dict>held
            place = Place.__new__(Place)
            place.tally = what[1]
            place.cells = cells_of(row, <tuple>what[0], code)
            here[one[6]] = place
        if place.tally is not None:
            place.tally.count += 1
            if place.tally.count == 1:
                claimed.add(place.tally.video)
        for each in place.cells:
            cell = <Cell>each
            first = user.taken(cell.item)
            if first.code != 0:
                if not 0 < first.code <= code or first.code // CODES_AN_HOUR != code // CODES_AN_HOUR:
                    add(user, cell.item, VIEW, code_of)
                continue
            first.code = code
            cell.add(user.who)
            cell.lane[0] += 1
            cell.lane[1] += 1
            cell.lane[2] += 1
            if not cell.dirty:
                cell.dirty = True
                dirty.append(cell)
    return applied


cdef tuple cells_of(dict row, tuple items, int64_t code):
    """The cells of these items, made where there are none."""
    cdef PyObject *held
    cdef Cell cell
    cdef list found = []
    for item in items:
        held = PyDict_GetItem(row, item)
        if held == NULL:
            cell = Cell.__new__(Cell)
            cell.item, cell.code = PyLong_AsLongLong(item), code
            row[item] = cell
        else:
            cell = <Cell><object>held
        found.append(cell)
    return tuple(found)
