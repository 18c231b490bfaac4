# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The hot path of `judge`, compiled: from a meal's JSON bytes to its packed winner, without a Python object in between.

It takes what is good at first sight and answers None to all else (odd escapes, signs, exponents, repeated names, a wrong
key, whatever breaks a rule): that is asked of the Python path, which alone knows the reasons. So there is one
definition of what is accepted, and tests/unit/test_native.py holds both to the same answers.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memmove

include "../scan.pxi"
include "../envelope.pxi"
include "../digest.pxi"

from schemas.instants import zone
from schemas.ledger import pack_place
from streams.daily.cells import platform_of

cdef extern from "Python.h":
    object _PyLong_FromByteArray(const unsigned char *data, size_t n, int little_endian, int is_signed)

cdef enum: TEXT = 1, FLOAT, BOOL, LIST, OBJECT
cdef enum: NEVER, IF_NULL, IF_FALSE, IF_TRUE, IF_EMPTY
cdef enum: MAX_FIELDS = 15, MAX_NODES = 64, MAX_ALL_FIELDS = 128, NUTRIENTS = 5
cdef enum: PORTION = -2, MEAL_TYPE = -3, FROM_PLAN = -4, PLANNED_ITEM = -5, MAX_SAID = 808  # streams/daily/plan.py
cdef enum: HEADER = 32, LANES_SIZE = NUTRIENTS * 12 + 4

cdef struct Node:
    int kind
    bint nullable
    double least
    double most
    int child
    int count
    int lane

cdef struct Field:
    const char *name
    Py_ssize_t name_size
    const char *packed
    Py_ssize_t packed_size
    bint required
    int omit
    int node

cdef double HALF_EVEN = 6755399441055744.0  # see streams/daily/contribution.py


cdef class MealReader(EnvelopeReader):
    """Reads the meals of a chunk."""

    cdef Node[MAX_NODES] nodes
    cdef Field[MAX_ALL_FIELDS] fields
    cdef int root
    cdef object keep, places
    cdef bytes letter
    cdef int code
    cdef double energy_max, grams_max
    cdef double[NUTRIENTS] sums
    cdef bint[NUTRIENTS] there
    cdef double portion
    cdef uint8_t[MAX_SAID] meal_type, planned_item
    cdef Py_ssize_t meal_type_size, planned_item_size
    cdef bint from_plan
    cdef Text last_place
    cdef object last_found

    def __init__(self, plan, texts, str type_name, str dataschema, str letter, int code, double energy_max,
                 double grams_max):
        """`plan`: streams.daily.plan.Plan of the data; `texts`, `dataschema`: see `expect`;
        `energy_max`, `grams_max`: sums above which the Python path looks at each item, in base units."""
        if len(plan.nodes) > MAX_NODES or len(plan.fields) > MAX_ALL_FIELDS:
            raise ValueError("the plan is too large for the native reader")
        self.expect(texts, type_name, dataschema)
        self.keep, self.letter, self.code = plan, letter.encode(), code
        self.energy_max, self.grams_max = energy_max, grams_max
        self.places = {}
        for i, node in enumerate(plan.nodes):
            self.nodes[i] = Node(node.kind, node.nullable, node.least, node.most, node.child, node.fields, node.lane)
        for i, field in enumerate(plan.fields):
            self.fields[i] = Field(field.name, len(field.name), field.packed_name, len(field.packed_name),
                                   field.required, field.omit, field.node)
        self.root = plan.root

    def read(self, values, timestamps, keys):
        """What `judge` decides about each record (streams.daily.core.Decided), and the indices of those that it must look
        at itself, which are None."""
        cdef Py_ssize_t i, n = len(values)
        cdef list found = [None] * n
        cdef list left = []
        for i in range(n):
            value, key = values[i], keys[i]
            one = None
            if type(value) is bytes and type(key) is bytes:
                one = self.one(<bytes>value, timestamps[i], <bytes>key)
            if one is None:
                left.append(i)
            else:
                found[i] = one
        return found, left

    cdef object one(self, bytes raw, int64_t received_ms, bytes key):
        if not self.envelope(raw, received_ms, key):
            return None
        place = self.place(self.got[SOURCE], self.got[TIMEZONE])
        if place is None:
            return None
        return self.decided(self.got, self.ms, self.offset, self.revision, <tuple>place)

    cdef const uint8_t *data(self, const uint8_t *p) except? NULL:
        self.reset()
        return self.value(p, &self.nodes[self.root], NEVER)

    cdef void reset(self) noexcept:
        cdef int i
        self.out = self.buffer + PREFIX
        for i in range(NUTRIENTS):
            self.sums[i], self.there[i] = 0.0, False
        self.portion = 1.0
        self.from_plan, self.meal_type_size, self.planned_item_size = False, 0, 0

    cdef void say(self, int lane, Text t) noexcept:
        """Keep a text for the winner's tail, in msgpack; it has at most 200 characters."""
        if lane == MEAL_TYPE:
            self.meal_type_size = pack_text(self.meal_type, t) - self.meal_type
        elif lane == PLANNED_ITEM and t.size:
            self.planned_item_size = pack_text(self.planned_item, t) - self.planned_item

    cdef const uint8_t *value(self, const uint8_t *p, Node *node, int omit) except? NULL:
        """Read a value, write it in msgpack at `out`; NULL: not at first sight. What is left out writes nothing."""
        cdef Text t
        cdef int form
        cdef double number_of
        cdef Py_ssize_t length
        if p[0] == 110:
            if not node.nullable or not word(p, b"null"):
                return NULL
            if omit != IF_NULL:
                self.out[0] = 192
                self.out += 1
            return p + 4
        if node.kind == FLOAT:
            p = number(p, &number_of)
            if p == NULL or number_of < node.least or number_of > node.most:
                return NULL
            if node.lane >= 0:
                self.sums[node.lane] += number_of * 1000.0 + HALF_EVEN - HALF_EVEN
                self.there[node.lane] = True
            elif node.lane == PORTION:
                self.portion = number_of
            self.out[0] = 203
            big_endian(self.out + 1, (<uint64_t *>&number_of)[0], 8)
            self.out += 9
            return p
        if node.kind == TEXT:
            p = text(p, &t, &form)
            if p == NULL or form == ESCAPED and not unescaped(t, self.aside, &t):
                return NULL
            length = characters(t, form)
            if length < node.least or length > node.most or t.size > 65535:
                return NULL
            self.out = pack_text(self.out, t)
            if node.lane < -2:
                self.say(node.lane, t)
            return p
        if node.kind == BOOL:
            if word(p, b"true"):
                if node.lane == FROM_PLAN:
                    self.from_plan = True
                if omit != IF_TRUE:
                    self.out[0] = 195
                    self.out += 1
                return p + 4
            if word(p, b"false"):
                if omit != IF_FALSE:
                    self.out[0] = 194
                    self.out += 1
                return p + 5
            return NULL
        if node.kind == LIST:
            return self.items(p, node, omit)
        return self.mapping(p, node)

    cdef const uint8_t *items(self, const uint8_t *p, Node *node, int omit) except? NULL:
        cdef uint8_t *head = self.out
        cdef int n = 0
        if p[0] != 91:
            return NULL
        p = blank(p + 1)
        self.out += 3
        if p[0] != 93:
            while True:
                p = self.value(p, &self.nodes[node.child], NEVER)
                if p == NULL:
                    return NULL
                n += 1
                p = blank(p)
                if p[0] == 93:
                    break
                if p[0] != 44:
                    return NULL
                p = blank(p + 1)
        if n < node.least or n > node.most or n > 65535:
            return NULL
        if n == 0 and omit == IF_EMPTY:
            self.out = head
        elif n < 16:
            head[0] = 144 | n
            memmove(head + 1, head + 3, self.out - head - 3)
            self.out -= 2
        else:
            head[0], head[1], head[2] = 220, n >> 8, n & 255
        return p + 1

    cdef const uint8_t *mapping(self, const uint8_t *p, Node *node) except? NULL:
        cdef Field *fields = &self.fields[node.child]
        cdef Field *field
        cdef uint8_t *head = self.out
        cdef uint8_t *before
        cdef uint8_t *start
        cdef Text name
        cdef int form
        cdef bint in_order = True
        cdef int i, guess = 0, seen = 0, n = 0, last = -1
        cdef Py_ssize_t[MAX_FIELDS] from_, size
        if p[0] != 123:
            return NULL
        p = blank(p + 1)
        self.out += 1
        if p[0] != 125:
            while True:
                p = text(p, &name, &form)
                if p == NULL:
                    return NULL
                p = blank(p)
                if p[0] != 58:
                    return NULL
                p = blank(p + 1)
                i = guess
                if not (i < node.count and name.size == fields[i].name_size
                        and memcmp(name.at, fields[i].name, name.size) == 0):
                    i = 0
                    while i < node.count and not (name.size == fields[i].name_size
                                                  and memcmp(name.at, fields[i].name, name.size) == 0):
                        i += 1
                if i == node.count:
                    if form != PLAIN:
                        return NULL
                    p = skip(p)
                    if p == NULL:
                        return NULL
                else:
                    if seen & (1 << i):
                        return NULL
                    seen |= 1 << i
                    field = &fields[i]
                    before = self.out
                    memcpy(self.out, field.packed, field.packed_size)
                    start = self.out = self.out + field.packed_size
                    p = self.value(p, &self.nodes[field.node], field.omit)
                    if p == NULL:
                        return NULL
                    if self.out == start:
                        self.out = before
                        size[i] = 0
                    else:
                        n += 1
                        from_[i], size[i] = before - head, self.out - before
                        if i < last:
                            in_order = False
                        last = i
                    guess = i + 1
                p = blank(p)
                if p[0] == 125:
                    break
                if p[0] != 44:
                    return NULL
                p = blank(p + 1)
        for i in range(node.count):
            if fields[i].required and not seen & (1 << i):
                return NULL
        head[0] = 128 | n
        if not in_order:
            start = self.aside
            for i in range(node.count):
                if seen & (1 << i) and size[i]:
                    memcpy(start, head + from_[i], size[i])
                    start += size[i]
            memcpy(head + 1, self.aside, start - self.aside)
        return p + 1

    cdef object place(self, Text source, Text timezone):
        """(packed place, platform, zone), remembered; None for a zone that does not exist."""
        cdef Py_ssize_t size = source.size
        if timezone.at == NULL and self.last_found is not None and size == self.last_place.size:
            if memcmp(source.at, self.last_place.at, size) == 0:
                return self.last_found
        where = source.at[:size] if timezone.at == NULL else source.at[:size] + b"\0" + timezone.at[:timezone.size]
        found = self.places.get(where)
        if found is None:
            name = source.at[:size].decode()
            zone_name = None if timezone.at == NULL else timezone.at[:timezone.size].decode()
            if zone_name is not None:
                try:
                    zone(zone_name)
                except ValueError:
                    return None
            packed = where, pack_place(name, zone_name), platform_of(name), zone_name
            found = packed
            if len(self.places) < 65_536:
                self.places[where] = found
        if timezone.at == NULL:
            self.last_found = found
            self.last_place = Text(<const uint8_t *>PyBytes_AS_STRING(<bytes>(<tuple>found)[0]), size)
        return found

    cdef object decided(self, Text *got, int64_t ms, int offset, uint64_t revision, tuple place):
        cdef bytes packed_place = <bytes>place[1]
        cdef Py_ssize_t place_size = PyBytes_GET_SIZE(packed_place)
        cdef Text entity = got[ENTITY] if got[ENTITY].at != NULL else got[ID]
        cdef Text subject = got[SUBJECT]
        cdef uint8_t[PREFIX] prefix
        cdef uint8_t[32] rank
        cdef uint8_t *q = prefix
        cdef uint8_t *content
        cdef uint8_t *w
        cdef uint64_t total, milli = 1000
        cdef Py_ssize_t tail_size = self.meal_type_size
        cdef bint says_more = self.from_plan or self.planned_item_size > 0
        cdef int i
        if self.sums[0] > self.energy_max:
            return None
        for i in range(1, NUTRIENTS):
            if self.sums[i] > self.grams_max:
                return None
        # the canonical content (schemas.codec.canonical): the prefix moves up to the data that is written already
        q[0] = 149
        q = pack_text(q + 1, got[TYPE])
        q = pack_text(q, got[SOURCE])
        q = pack_text(q, got[TIME])
        if got[TIMEZONE].at == NULL:
            q[0] = 192
            q += 1
        else:
            q = pack_text(q, got[TIMEZONE])
        content = self.buffer + PREFIX - (q - prefix)
        memcpy(content, prefix, q - prefix)
        digest(content, self.out - content, rank)
        # the key: subject, family, entity
        key = PyBytes_FromStringAndSize(NULL, subject.size + 3 + entity.size)
        w = <uint8_t *>PyBytes_AS_STRING(key)
        memcpy(w, subject.at, subject.size)
        w += subject.size
        w[0], w[1], w[2] = 0, (<const uint8_t *>PyBytes_AS_STRING(self.letter))[0], 0
        memcpy(w + 3, entity.at, entity.size)
        # the winner: header, place, lanes, tail (schemas/ledger.py)
        if says_more:
            tail_size += 2 + (self.planned_item_size or 1)
        winner = PyBytes_FromStringAndSize(NULL, HEADER + place_size + LANES_SIZE + tail_size)
        w = <uint8_t *>PyBytes_AS_STRING(winner)
        big_endian(w, revision, 4)
        w[4] = 0
        memcpy(w + 5, rank, 16)
        big_endian(w + 21, <uint64_t>ms, 8)
        big_endian(w + 29, <uint64_t><int64_t>offset, 2)
        w[31] = self.code
        memcpy(w + HEADER, PyBytes_AS_STRING(packed_place), place_size)
        w += HEADER + place_size
        if self.portion != 1.0:
            milli = <uint64_t>(self.portion * 1000.0 + HALF_EVEN - HALF_EVEN)
        for i in range(NUTRIENTS):
            total = <uint64_t>self.sums[i]
            if milli != 1000 or self.portion != 1.0:
                total = (total * milli + 500) // 1000
            little_endian(w + 8 * i, total, 8)
            little_endian(w + 8 * NUTRIENTS + 4 * i, self.there[i], 4)
        little_endian(w + 12 * NUTRIENTS, 1, 4)
        amount = _PyLong_FromByteArray(w, LANES_SIZE, 1, 0)
        # its tail: the meal type, or that, from_plan and planned_item
        w += LANES_SIZE
        if says_more:
            w[0] = 147
            w += 1
        memcpy(w, self.meal_type, self.meal_type_size)
        if says_more:
            w += self.meal_type_size
            w[0], w[1] = 195 if self.from_plan else 194, 192
            memcpy(w + 1, self.planned_item, self.planned_item_size)
        return (
            PyUnicode_DecodeUTF8(<const char *>subject.at, subject.size, NULL),
            key, winner, amount, place[2], ms, None if offset == OFFSET_OF_Z else offset, place[3],
        )
