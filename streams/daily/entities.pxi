# A user's winners in one block of memory (included by native_ledger.pyx). The definition is `entities.PythonEntities`, a dict.
#
# A dict costs two Python objects and a place an entity, about 240 bytes; this a little over 100. All keys of a user begin with
# the same subject, so that lies here once. A winner is kept with its rank and header as they are and without the zero bytes
# of the rest, most of which are the upper halves of sums:
#
#   record   key size · winner size · packed size (varints) · key without the subject · winner, packed
#   entries  number → where its record begins; an entity keeps its number until it leaves, so a cell may hold numbers
#   slots    open addressing, linear probing: upper half of the hash and the number

import cython

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

cdef enum: RAW = 32  # schemas.ledger.HEADER_BYTES
cdef uint32_t FREE = 0x80000000  # an entry without an entity: the rest is the next such entry
cdef uint32_t NONE = 0x7fffffff
cdef Py_ssize_t LARGEST = 0x7fffffff

cdef struct Slot:
    uint32_t hash
    uint32_t number  # of the entity, and 1; 0: nobody

cdef struct Record:
    uint8_t *key
    uint8_t *packed
    Py_ssize_t key_size, size, packed_size


@cython.final
@cython.no_gc
cdef class Entities:
    """`streams.daily.entities.PythonEntities`, which see."""

    cdef bytes subject
    cdef uint8_t *arena
    cdef Slot *slots
    cdef uint32_t *entries
    cdef Py_ssize_t used, room, dead
    cdef uint32_t places, count, numbers, first_free

    def __cinit__(self):
        self.subject = None
        self.first_free = NONE

    def __dealloc__(self):
        free(self.arena)
        free(self.slots)

    # -- what a dict has

    def __len__(self):
        return self.count

    def __contains__(self, bytes key not None):
        return self.find(key) >= 0

    def __getitem__(self, bytes key not None):
        cdef int64_t number = self.find(key)
        if number < 0:
            raise KeyError(key)
        return self.winner(number)

    def get(self, bytes key not None, default=None):
        """The winner, or `default`."""
        cdef int64_t number = self.find(key)
        return default if number < 0 else self.winner(number)

    def __setitem__(self, bytes key not None, bytes winner not None):
        self.put(key, winner)

    def __delitem__(self, bytes key not None):
        if not self.remove(key):
            raise KeyError(key)

    def pop(self, bytes key not None, default=None):
        """Take an entity away and return its winner, or `default`."""
        found = self.get(key, default)
        self.remove(key)
        return found

    def update(self, others):
        """Set winners from a mapping."""
        for key, winner in others.items():
            self.put(key, winner)

    def items(self):
        """All (key, winner), as of now."""
        return self.pick(self.all_numbers())

    def keys(self):
        """All keys, as of now."""
        return [self.key(number) for number in self.all_numbers()]

    def values(self):
        """All winners, as of now."""
        return [self.winner(number) for number in self.all_numbers()]

    def __iter__(self):
        return iter(self.keys())

    def __eq__(self, other):
        return dict(self.items()) == dict(other.items())

    # -- what cells need

    def handle(self, bytes key not None):
        """What a cell remembers the entity by."""
        cdef int64_t number = self.find(key)
        if number < 0:
            raise KeyError(key)
        return number

    def pick(self, handles):
        """(key, winner) of each handle."""
        return [(self.key(number), self.winner(number)) for number in handles]

    # -- inside

    cdef list all_numbers(self):
        cdef uint32_t number
        return [number for number in range(self.numbers) if not self.entries[number] & FREE]

    cdef inline void read(self, uint32_t number, Record *record) noexcept:
        cdef uint8_t *p = self.arena + self.entries[number]
        p = varint(p, &record.key_size)
        p = varint(p, &record.size)
        p = varint(p, &record.packed_size)
        record.key, record.packed = p, p + record.key_size

    cdef bytes key(self, uint32_t number):
        cdef Record r
        self.read(number, &r)
        cdef Py_ssize_t begin = PyBytes_GET_SIZE(self.subject)
        cdef bytes key = PyBytes_FromStringAndSize(NULL, begin + r.key_size)
        memcpy(PyBytes_AS_STRING(key), PyBytes_AS_STRING(self.subject), begin)
        memcpy(PyBytes_AS_STRING(key) + begin, r.key, r.key_size)
        return key

    cdef bytes winner(self, uint32_t number):
        cdef Record r
        self.read(number, &r)
        cdef bytes winner = PyBytes_FromStringAndSize(NULL, r.size)
        unpack(r.packed, <uint8_t *>PyBytes_AS_STRING(winner), r.size)
        return winner

    cdef int64_t find(self, bytes key) except -2:
        """Its number, or -1."""
        cdef uint32_t hash, place
        cdef Py_ssize_t begin, size
        cdef Slot slot
        cdef Record r
        cdef const uint8_t *text
        if self.count == 0:
            return -1
        begin, size = PyBytes_GET_SIZE(self.subject), PyBytes_GET_SIZE(key)
        text = <const uint8_t *>PyBytes_AS_STRING(key)
        if size < begin or memcmp(text, PyBytes_AS_STRING(self.subject), begin) != 0:
            return -1
        hash = <uint32_t>(<uint64_t>PyObject_Hash(key) >> 32)
        place = home(hash, self.places)
        while True:
            slot = self.slots[place]
            if slot.number == 0:
                return -1
            if slot.hash == hash:
                self.read(slot.number - 1, &r)
                if r.key_size == size - begin and memcmp(r.key, text + begin, r.key_size) == 0:
                    return slot.number - 1
            place += 1
            if place == self.places:
                place = 0

    cdef int64_t put(self, bytes key, bytes winner) except -1:
        """Set the winner of an entity; its number."""
        cdef int64_t number = self.find(key)
        if number < 0:
            return self.insert(key, winner)
        self.replace(number, winner)
        return number

    cdef int64_t insert(self, bytes key, bytes winner) except -1:
        """Add an entity that is not there; its number."""
        cdef uint32_t fresh
        cdef Py_ssize_t begin
        if self.subject is None:
            self.subject = key[:key.find(b"\0") + 1]
        begin = PyBytes_GET_SIZE(self.subject)
        if (PyBytes_GET_SIZE(key) < begin
                or memcmp(PyBytes_AS_STRING(key), PyBytes_AS_STRING(self.subject), begin) != 0):
            raise ValueError(f"{key!r} is of another user than {self.subject!r}")
        if (self.count + 1) * 5 > self.places * 4:
            self.grow()
        if self.first_free != NONE:
            fresh = self.first_free
            self.first_free = self.entries[fresh] & ~FREE
        else:
            fresh = self.numbers
            self.numbers += 1
        self.entries[fresh] = FREE | NONE  # so that tidying passes it over
        self.append(fresh, <const uint8_t *>PyBytes_AS_STRING(key) + begin, PyBytes_GET_SIZE(key) - begin,
                    PyBytes_GET_SIZE(winner), packed_aside(winner))
        self.count += 1
        self.settle(<uint32_t>(<uint64_t>PyObject_Hash(key) >> 32), fresh)
        return fresh

    cdef void settle(self, uint32_t hash, uint32_t number) noexcept:
        """Put a number into the first empty slot from its home on."""
        cdef uint32_t place = home(hash, self.places)
        while self.slots[place].number:
            place += 1
            if place == self.places:
                place = 0
        self.slots[place] = Slot(hash, number + 1)

    cdef int append(self, uint32_t number, const uint8_t *key, Py_ssize_t key_size, Py_ssize_t size,
                    Py_ssize_t packed) except -1:
        """Write a record whose winner lies packed aside. `key` does not point into the arena."""
        cdef uint8_t *p
        self.make_room(15 + key_size + packed)
        p = self.arena + self.used
        p = put_varint(put_varint(put_varint(p, key_size), size), packed)
        memcpy(p, key, key_size)
        memcpy(p + key_size, aside, packed)
        self.entries[number] = <uint32_t>self.used
        self.used = p + key_size + packed - self.arena
        return 0

    cdef int replace(self, uint32_t number, bytes winner) except -1:
        """Another winner of the same entity; where it takes as much room, in its place."""
        cdef Record r
        cdef Py_ssize_t size = PyBytes_GET_SIZE(winner), packed = packed_aside(winner)
        cdef bytes key
        self.read(number, &r)
        if r.size == size and r.packed_size == packed:
            memcpy(r.packed, aside, packed)
            return 0
        key = r.key[:r.key_size]
        self.dead += r.packed + r.packed_size - self.arena - self.entries[number]
        self.entries[number] = FREE | NONE
        return self.append(number, <const uint8_t *>PyBytes_AS_STRING(key), r.key_size, size, packed)

    cdef bint remove(self, bytes key) except -1:
        """Take an entity away; its number is given to another one day. Whether it was there."""
        cdef int64_t number = self.find(key)
        cdef uint32_t place, hole, its
        cdef Record r
        if number < 0:
            return False
        self.read(number, &r)
        self.dead += r.packed + r.packed_size - self.arena - self.entries[number]
        hole = home(<uint32_t>(<uint64_t>PyObject_Hash(key) >> 32), self.places)
        while self.slots[hole].number != number + 1:
            hole = hole + 1 if hole + 1 < self.places else 0
        place = hole
        while True:  # whoever was pushed on by it moves up (Knuth, TAOCP 6.4, algorithm R)
            place = place + 1 if place + 1 < self.places else 0
            if self.slots[place].number == 0:
                break
            its = home(self.slots[place].hash, self.places)
            if (hole < its <= place) if hole <= place else (its > hole or its <= place):
                continue
            self.slots[hole] = self.slots[place]
            hole = place
        self.slots[hole] = Slot(0, 0)
        self.entries[number] = FREE | self.first_free
        self.first_free = <uint32_t>number
        self.count -= 1
        if self.count == 0:
            self.clear()
        return True

    cdef void clear(self) noexcept:
        free(self.arena)
        free(self.slots)
        self.arena, self.slots, self.entries = NULL, NULL, NULL
        self.used = self.room = self.dead = 0
        self.places = self.numbers = 0
        self.first_free = NONE

    cdef int grow(self) except -1:
        """More slots, a quarter at a time: four fifths of them are used at most, and numbers fit the slots."""
        cdef uint32_t places = self.places + self.places // 4 + 4, number, place
        cdef uint32_t room = places - places // 5 + 1
        cdef Slot *old = self.slots
        cdef Slot *slots = <Slot *>malloc(places * sizeof(Slot) + room * sizeof(uint32_t))
        cdef uint32_t *entries
        cdef uint32_t before = self.places
        if slots == NULL:
            raise MemoryError(f"{places} places for the entities of {self.subject!r}")
        memset(slots, 0, places * sizeof(Slot))
        entries = <uint32_t *>(slots + places)
        if self.numbers:
            memcpy(entries, self.entries, self.numbers * sizeof(uint32_t))
        self.slots, self.entries, self.places = slots, entries, places
        for place in range(before):
            if old[place].number:
                self.settle(old[place].hash, old[place].number - 1)
        free(old)
        return 0

    cdef int make_room(self, Py_ssize_t more) except -1:
        """Room for so many bytes at the end of the arena: by leaving out what is dead if that is a quarter of it."""
        cdef Py_ssize_t wanted = self.used - self.dead + more
        cdef uint8_t *arena
        cdef uint8_t *p
        cdef uint8_t *end
        cdef uint32_t number
        cdef Record r
        if self.used + more <= self.room:
            return 0
        if self.dead * 4 < self.used:
            wanted = self.used + more
        wanted += wanted // 8 + 32
        if wanted > LARGEST:
            raise MemoryError(f"the entities of {self.subject!r} need {wanted} bytes, and {LARGEST} is the most")
        if self.dead * 4 < self.used or self.dead == 0:
            arena = <uint8_t *>realloc(self.arena, wanted)
            if arena == NULL:
                raise MemoryError(f"{wanted} bytes for the entities of {self.subject!r}")
            self.arena, self.room = arena, wanted
            return 0
        arena = <uint8_t *>malloc(wanted)
        if arena == NULL:
            raise MemoryError(f"{wanted} bytes for the entities of {self.subject!r}")
        p = arena
        for number in range(self.numbers):
            if not self.entries[number] & FREE:
                self.read(number, &r)
                end = r.packed + r.packed_size
                memcpy(p, self.arena + self.entries[number], end - self.arena - self.entries[number])
                end = p + (end - self.arena - self.entries[number])
                self.entries[number] = <uint32_t>(p - arena)
                p = end
        free(self.arena)
        self.arena, self.room, self.used, self.dead = arena, wanted, p - arena, 0
        return 0


cdef uint8_t *aside = NULL
cdef Py_ssize_t aside_room = 0


cdef Py_ssize_t packed_aside(bytes winner) except -1:
    """Pack a winner into `aside`; its packed size. Of what follows the header, a bit per byte says which are not zero."""
    global aside, aside_room
    cdef Py_ssize_t size = PyBytes_GET_SIZE(winner), i = RAW, bits
    cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(winner)
    cdef uint8_t *mask
    cdef uint8_t *q
    cdef uint8_t *more
    cdef uint8_t there
    if size + size // 8 + 1 > aside_room:
        more = <uint8_t *>realloc(aside, size + size // 8 + 1024)
        if more == NULL:
            raise MemoryError(f"{size} bytes for a winner")
        aside, aside_room = more, size + size // 8 + 1024
    if size <= RAW:
        memcpy(aside, p, size)
        return size
    memcpy(aside, p, RAW)
    mask = aside + RAW
    q = mask + (size - RAW + 7) // 8
    while i < size:
        there = 0
        for bits in range(min(size - i, 8)):
            q[0] = p[i + bits]
            there |= (p[i + bits] != 0) << bits
            q += p[i + bits] != 0
        mask[0] = there
        mask += 1
        i += 8
    return q - aside


cdef void unpack(const uint8_t *p, uint8_t *out, Py_ssize_t size) noexcept:
    """The inverse, for a winner of `size` bytes."""
    cdef Py_ssize_t i = RAW, bits
    cdef const uint8_t *mask = p + RAW
    cdef const uint8_t *q
    if size <= RAW:
        memcpy(out, p, size)
        return
    memcpy(out, p, RAW)
    q = mask + (size - RAW + 7) // 8
    while i < size:
        for bits in range(min(size - i, 8)):
            if mask[0] >> bits & 1:
                out[i + bits] = q[0]
                q += 1
            else:
                out[i + bits] = 0
        mask += 1
        i += 8


cdef inline uint32_t home(uint32_t hash, uint32_t places) noexcept:
    """The slot to begin at: the hash as a fraction of all slots (Lemire, Fast Random Integer Generation in an Interval)."""
    return <uint32_t>(<uint64_t>hash * places >> 32)


cdef inline uint8_t *varint(uint8_t *p, Py_ssize_t *value) noexcept:
    """Read a number of seven bits a byte, lowest first; where it ends."""
    cdef int shift = 0
    value[0] = p[0] & 127
    while p[0] & 128:
        p += 1
        shift += 7
        value[0] |= <Py_ssize_t>(p[0] & 127) << shift
    return p + 1


cdef inline uint8_t *put_varint(uint8_t *p, Py_ssize_t value) noexcept:
    while value > 127:
        p[0] = value & 127 | 128
        value >>= 7
        p += 1
    p[0] = <uint8_t>value
    return p + 1
