# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Stage one's hot path, compiled: a view's JSON to what is decided of it, that into counts, and counts to records.

As in streams/daily/native.pyx, it takes what is good at first sight and leaves all else to the Python path, which alone
knows the reasons: so there is one definition of what is accepted and how it counts, and tests/unit/test_trending_native.py
holds both to the same answers.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.list cimport PyList_GET_SIZE
from cpython.long cimport PyLong_AsLongLong
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF

include "../scan.pxi"
include "../envelope.pxi"
include "../digest.pxi"

from schemas.instants import zone
from schemas.trending import BUNDLE
from streams.trending.events import AHEAD_MS, LATE_MS, QUALIFIED_S, QUALIFIED_SHARE
from streams.trending.firsts import HOUR, LANE, LANE_MASK, REGIONS
from streams.trending.viewers import MOST_HASHES, hash_of

cdef enum: TEXT = 1, NUMBER, TEXTS, REGION  # streams/trending/reading.py
cdef enum: CONTENT, CREATOR, HASHTAGS, SOUND, IN_REGION, WATCHED, LENGTH, NO_PART  # of a view, as stage one needs them
cdef enum: NOTHING, VIEW  # streams/trending/events.py
cdef enum: MAX_FIELDS = 15, RANK_BYTES = 21, WINNER_HEAD = 36, ROOM = 64

cdef struct Field:
    const char *name
    Py_ssize_t name_size
    const char *packed
    Py_ssize_t packed_size
    int kind
    bint required
    bint nullable
    double least
    double most
    int part

cdef int64_t AHEAD = AHEAD_MS, LATE = LATE_MS
cdef int64_t CODES_AN_HOUR = HOUR, ALL_REGIONS = REGIONS
cdef double LONG_ENOUGH = QUALIFIED_S, SHARE = QUALIFIED_SHARE
cdef int64_t PER_LANE = LANE_MASK
cdef int LANE_BITS = LANE
cdef Py_ssize_t MOST_PLAIN = MOST_HASHES
cdef Py_ssize_t PER_RECORD = BUNDLE


include "counting.pxi"


cdef class ViewReader(EnvelopeReader):
    """Reads the views of a chunk."""

    cdef Field[MAX_FIELDS] fields
    cdef int count
    cdef object keep, zones
    cdef double watched_max
    cdef Text[MAX_FIELDS] packed
    cdef Text[NO_PART] parts
    cdef double watched, length
    cdef int region

    def __init__(self, fields, texts, str type_name, str dataschema, double watched_max):
        """`fields`: rows of streams.trending.reading.FieldPlan, in canonical order; `texts`,
        `dataschema`: see `expect`; `watched_max`: what is implausible beyond."""
        if len(fields) > MAX_FIELDS:
            raise ValueError("the plan is too large for the native reader")
        self.expect(texts, type_name, dataschema)
        self.keep, self.watched_max, self.count, self.zones = tuple(fields), watched_max, len(fields), set()
        for i, field in enumerate(fields):
            self.fields[i] = Field(field.name, len(field.name), field.packed_name, len(field.packed_name), field.kind,
                                   field.required, field.nullable, field.least, field.most, field.part)

    def read(self, values, timestamps, keys):
        """What `judge` decides about each record (streams.trending.events.Decided), the indices of those that it must
        look at itself, which are None, and the latest receipt of the others."""
        cdef Py_ssize_t i, n = len(values)
        cdef list found = [None] * n
        cdef list left = []
        cdef int64_t received, latest = 0
        for i in range(n):
            value, key = values[i], keys[i]
            one = None
            received = timestamps[i]
            if type(value) is bytes and type(key) is bytes:
                one = self.one(<bytes>value, received, <bytes>key)
            if one is None:
                left.append(i)
            else:
                found[i] = one
                if received > latest:
                    latest = received
        return found, left, latest

    cdef object one(self, bytes raw, int64_t received_ms, bytes key):
        if not self.envelope(raw, received_ms, key) or self.ms < 4294967296:
            return None
        if self.got[TIMEZONE].at != NULL and not self.is_zone(self.got[TIMEZONE]):
            return None
        timely = received_ms - LATE <= self.ms <= received_ms + AHEAD
        return self.decided(self.got, self.ms, self.revision, timely, key)

    cdef bint is_zone(self, Text name) except -1:
        named = name.at[:name.size]
        if named not in self.zones:
            try:
                zone(named.decode())
            except ValueError:
                return False
            self.zones.add(named)
        return True

    cdef const uint8_t *data(self, const uint8_t *p) except? NULL:
        """Read the data, each value packed in msgpack at `packed`; NULL: not at first sight."""
        cdef Field *field
        cdef Text name
        cdef int form, i, guess = 0, seen = 0
        self.out = self.aside
        self.watched = self.length = 0.0
        self.region = 0
        for i in range(NO_PART):
            self.parts[i].at = NULL
        for i in range(self.count):
            self.packed[i].at = NULL
        if p[0] != 123:
            return NULL
        p = blank(p + 1)
        while p[0] != 125:
            p = text(p, &name, &form)
            if p == NULL:
                return NULL
            p = blank(p)
            if p[0] != 58:
                return NULL
            p = blank(p + 1)
            i = guess
            if not (i < self.count and self.is_named(i, name)):
                i = 0
                while i < self.count and not self.is_named(i, name):
                    i += 1
            if i == self.count:
                p = skip(p) if form == PLAIN else NULL
            else:
                field = &self.fields[i]
                if seen & (1 << i):
                    return NULL
                seen |= 1 << i
                guess = i + 1
                if p[0] == 110:  # null, and what is left out, are the same
                    p = p + 4 if field.nullable and word(p, b"null") else NULL
                else:
                    self.packed[i].at = self.out
                    p = self.value(p, field)
                    self.packed[i].size = self.out - self.packed[i].at
                    if field.kind == TEXTS and self.packed[i].size == 1 and self.packed[i].at[0] == 144:
                        self.packed[i].at = NULL
                    elif field.part < NO_PART:
                        self.parts[field.part] = self.packed[i]
            if p == NULL:
                return NULL
            p = blank(p)
            if p[0] == 125:
                break
            if p[0] != 44:
                return NULL
            p = blank(p + 1)
            if p[0] == 125:
                return NULL
        for i in range(self.count):
            if self.fields[i].required and not seen & (1 << i):
                return NULL
        return p + 1

    cdef inline bint is_named(self, int i, Text name) noexcept:
        return name.size == self.fields[i].name_size and memcmp(name.at, self.fields[i].name, name.size) == 0

    cdef const uint8_t *value(self, const uint8_t *p, Field *field) except? NULL:
        cdef uint8_t *head = self.out
        cdef double number_of
        cdef Text t
        cdef int form, n = 0
        if field.kind == NUMBER:
            p = number(p, &number_of)
            if p == NULL or number_of < field.least or number_of > field.most:
                return NULL
            if field.part == WATCHED:
                self.watched = number_of
            elif field.part == LENGTH:
                self.length = number_of
            self.out[0] = 203
            big_endian(self.out + 1, (<uint64_t *>&number_of)[0], 8)
            self.out += 9
            return p
        if field.kind == TEXTS:
            if p[0] != 91:
                return NULL
            p = blank(p + 1)
            self.out += 3
            if p[0] != 93:
                while True:
                    p = self.plain(p, field)
                    if p == NULL:
                        return NULL
                    n += 1
                    p = blank(p)
                    if p[0] == 93:
                        break
                    if p[0] != 44:
                        return NULL
                    p = blank(p + 1)
            if n > 15:  # rarely
                return NULL
            head[0] = 144 | n
            for i in range(1, self.out - head - 2):
                head[i] = head[i + 2]
            self.out -= 2
            return p + 1
        if field.kind == REGION:
            p = text(p, &t, &form)
            if p == NULL or t.size != 2 or not (65 <= t.at[0] <= 90 and 65 <= t.at[1] <= 90):
                return NULL
            self.region = (t.at[0] - 65) * 26 + t.at[1] - 64
            self.out = pack_text(self.out, t)
            return p
        return self.plain(p, field)

    cdef const uint8_t *plain(self, const uint8_t *p, Field *field) except? NULL:
        cdef Text t
        cdef int form
        cdef Py_ssize_t length
        p = text(p, &t, &form)
        if p == NULL or form == ESCAPED:
            return NULL
        length = characters(t, form)
        if length < field.least or length > field.most or t.size > 65535:
            return NULL
        self.out = pack_text(self.out, t)
        return p

    cdef object decided(self, Text *got, int64_t ms, uint64_t revision, bint timely, bytes subject):
        cdef Text entity = got[ENTITY] if got[ENTITY].at != NULL else got[ID]
        cdef Py_ssize_t subject_size = PyBytes_GET_SIZE(subject), head_size
        cdef uint8_t *q = self.buffer
        cdef uint8_t *w
        cdef uint8_t[32] rank
        cdef int i, n = 0, slot = NOTHING
        if self.watched <= self.watched_max:
            if self.watched >= LONG_ENOUGH or (self.length != 0.0 and self.watched >= SHARE * self.length):
                slot = VIEW
        # the canonical content (schemas.codec.canonical)
        q[0] = 149
        q = pack_text(q + 1, got[TYPE])
        q = pack_text(q, got[SOURCE])
        q = pack_text(q, got[TIME])
        if got[TIMEZONE].at == NULL:
            q[0] = 192
            q += 1
        else:
            q = pack_text(q, got[TIMEZONE])
        w = q
        q += 1
        for i in range(self.count):
            if self.packed[i].at != NULL:
                memcpy(q, self.fields[i].packed, self.fields[i].packed_size)
                q += self.fields[i].packed_size
                memcpy(q, self.packed[i].at, self.packed[i].size)
                q += self.packed[i].size
                n += 1
        w[0] = 128 | n
        digest(self.buffer, q - self.buffer, rank)
        # the key: subject, entity
        key = PyBytes_FromStringAndSize(NULL, subject_size + 1 + entity.size)
        w = <uint8_t *>PyBytes_AS_STRING(key)
        memcpy(w, PyBytes_AS_STRING(subject), subject_size)
        w[subject_size] = 0
        memcpy(w + subject_size + 1, entity.at, entity.size)
        # the winner (streams.trending.events.pack_winner): its head, then what was on the screen
        q = self.buffer
        big_endian(q, revision, 4)
        q[4] = 0
        memcpy(q + 5, rank, 16)
        q[RANK_BYTES] = 1 if timely else 0
        q[22], q[23] = 151, 207
        big_endian(q + 24, <uint64_t>ms, 8)
        q[32] = slot
        q += 33
        q = self.part(q, IN_REGION, 160)
        head_size = q - self.buffer
        q = self.part(q, CONTENT, 192)
        q = self.part(q, CREATOR, 192)
        q = self.part(q, HASHTAGS, 144)
        q = self.part(q, SOUND, 192)
        return (
            subject, key, <bytes>self.buffer[:q - self.buffer], ms, slot, ms // 60000 * ALL_REGIONS + self.region,
            <bytes>self.buffer[head_size:q - self.buffer],
        )

    cdef inline uint8_t *part(self, uint8_t *q, int part, uint8_t without) noexcept:
        if self.parts[part].at == NULL:
            q[0] = without
            return q + 1
        memcpy(q, self.parts[part].at, self.parts[part].size)
        return q + self.parts[part].size


cdef class Packer:
    """Counts to records for stage two, as `pack` of schemas/trending.py would write them."""

    cdef uint8_t *buffer
    cdef Py_ssize_t room

    def __cinit__(self):
        self.room = 65536
        self.buffer = <uint8_t *>PyMem_Malloc(self.room)
        if self.buffer == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.buffer)

    def records(self, list cells, list heads, dict tails, int64_t version, int64_t clock_ms):
        """These cells as bundles. `heads`: by item, how its key begins; `tails`: code → how it ends."""
        cdef Py_ssize_t at, total = len(cells), first = 0, n, i
        cdef Cell cell
        cdef uint8_t *q
        cdef list found = []
        cdef bytes head, tail
        cdef int lane
        while first < total:
            n = min(PER_RECORD, total - first)
            q = self.buffer
            at = 0
            if n < 16:
                q[0] = 144 | n
                at = 1
            else:
                q[0], q[1], q[2] = 220, n >> 8, n & 255
                at = 3
            for i in range(first, first + n):
                cell = <Cell>cells[i]
                head, tail = <bytes>heads[cell.item], <bytes>tails[cell.code]
                at = self.put(at, head)
                at = self.put(at, tail)
                self.more(at, ROOM)
                q = self.buffer + at
                q[0] = 150
                q = pack_int(q + 1, version)
                q = pack_int(q, clock_ms)
                q[0] = 147
                q += 1
                for lane in range(LANES):
                    q = pack_int(q, cell.lane[lane])
                at = q - self.buffer
                at = self.viewers(at, cell)
                self.more(at, ROOM)
                self.buffer[at] = 192
                at += 1
            found.append(<bytes>self.buffer[:at])
            first += n
        return found

    cdef int more(self, Py_ssize_t at, Py_ssize_t size) except -1:
        cdef uint8_t *grown
        if at + size > self.room:
            self.room = 2 * (at + size)
            grown = <uint8_t *>PyMem_Realloc(self.buffer, self.room)
            if grown == NULL:
                raise MemoryError
            self.buffer = grown
        return 0

    cdef Py_ssize_t put(self, Py_ssize_t at, bytes what) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(what)
        self.more(at, size)
        memcpy(self.buffer + at, PyBytes_AS_STRING(what), size)
        return at + size

    cdef Py_ssize_t viewers(self, Py_ssize_t at, Cell cell) except -1:
        """As streams.trending.cells.seen_by packs them."""
        cdef Py_ssize_t n = cell.few, size = 1 + 8 * n
        cdef bytes sketch
        cdef uint8_t *q
        if cell.sketch is None and n <= MOST_PLAIN:
            if n == 0:
                size = 0
            self.more(at, size + 5)
            q = self.buffer + at
            q = pack_bin(q, size)
            if n:
                q[0] = 0
                q += 1
                memcpy(q, cell.viewers, 8 * n)
            return q - self.buffer + 8 * n
        sketch = join(cell)
        size = PyBytes_GET_SIZE(sketch)
        self.more(at, size + 5)
        q = self.buffer + at
        q = pack_bin(q, size)
        memcpy(q, PyBytes_AS_STRING(sketch), size)
        return q - self.buffer + size


cdef bytes join(Cell cell):
    """Its sketch, with those who have come since."""
    from streams.trending.viewers import sketched
    return sketched(cell)


cdef inline uint8_t *pack_bin(uint8_t *q, Py_ssize_t size) noexcept:
    """The head of msgpack bytes."""
    if size < 256:
        q[0], q[1] = 196, size
        return q + 2
    q[0], q[1], q[2] = 197, size >> 8, size & 255
    return q + 3


cdef inline uint8_t *pack_int(uint8_t *q, int64_t value) noexcept:
    """A msgpack integer, not negative, as short as can be."""
    if value < 128:
        q[0] = value
        return q + 1
    if value < 256:
        q[0], q[1] = 204, value
        return q + 2
    if value < 65536:
        q[0] = 205
        big_endian(q + 1, value, 2)
        return q + 3
    if value < 4294967296:
        q[0] = 206
        big_endian(q + 1, value, 4)
        return q + 5
    q[0] = 207
    big_endian(q + 1, value, 8)
    return q + 9
