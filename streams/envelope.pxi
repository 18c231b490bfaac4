# The envelope of an event, as compiled readers take it (streams/daily/native.pyx, streams/trending/native.pyx): what is good
# at first sight. Included after scan.pxi; a reader is a subclass that says how its data is read.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc

from schemas.codec import MAX_AHEAD_MS, MAX_EVENT_BYTES

cdef enum: SPECVERSION, ID, SOURCE, TYPE, SUBJECT, TIME, DATA, ENTITY, REVISION, TIMEZONE, SENTAT, DATASCHEMA, ATTRIBUTES
cdef enum: PREFIX = 1024  # room for what the canonical content begins with

ENVELOPE = (
    "specversion", "id", "source", "type", "subject", "time", "data", "entity", "revision", "timezone", "sentat",
    "dataschema",
)
cdef int64_t TOO_FAR = MAX_AHEAD_MS
cdef Py_ssize_t MAX_BYTES = MAX_EVENT_BYTES


cdef class EnvelopeReader:
    """Reads events of one type; made once per process (it keeps buffers: one thread at a time)."""

    cdef bytes type_name, dataschema
    cdef tuple spelt
    cdef Text[ATTRIBUTES] names
    cdef double[ATTRIBUTES] least, most
    cdef uint8_t *buffer
    cdef uint8_t *aside
    cdef uint8_t *out
    cdef Text[ATTRIBUTES] got
    cdef int64_t ms
    cdef int offset
    cdef uint64_t revision

    def __cinit__(self):
        self.buffer = <uint8_t *>PyMem_Malloc(PREFIX + 3 * MAX_BYTES)
        self.aside = <uint8_t *>PyMem_Malloc(3 * MAX_BYTES)
        if self.buffer == NULL or self.aside == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.buffer)
        PyMem_Free(self.aside)

    cdef expect(self, texts, str type_name, str dataschema):
        """`texts`: (shortest, longest) of the attributes that are texts; `dataschema`: what events of this version may
        say there (streams.compiled.EventPlan)."""
        self.type_name, self.dataschema = type_name.encode(), dataschema.encode()
        self.spelt = tuple([name.encode() for name in ENVELOPE])
        for i, name in enumerate(self.spelt):
            self.names[i] = Text(<const uint8_t *><const char *>name, len(name))
            self.least[i], self.most[i] = texts.get(ENVELOPE[i], (0, 0))

    cdef const uint8_t *data(self, const uint8_t *p) except? NULL:
        """Read the data from its brace on; what follows it, or NULL: not at first sight."""
        return NULL

    cdef bint envelope(self, bytes raw, int64_t received_ms, bytes key) except -1:
        """Read an event, its data by `data`; whether it is good at first sight. `key`: of its Kafka record."""
        cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(raw)
        cdef const uint8_t *end = p + PyBytes_GET_SIZE(raw)
        cdef const uint8_t *late = NULL
        cdef const uint8_t *late_end = NULL
        cdef Text *got = self.got
        cdef Text name
        cdef int form
        cdef int at, guess = 0, seen = 0, sent_offset, i
        cdef int64_t sent_ms
        cdef uint64_t revision = 1
        cdef Py_ssize_t length
        if end - p > MAX_BYTES:
            return False
        for i in range(ATTRIBUTES):
            got[i].at = NULL
        p = blank(p)
        if p[0] != 123:
            return False
        p += 1
        while True:
            p = text(blank(p), &name, &form)
            if p == NULL:
                return False
            p = blank(p)
            if p[0] != 58:
                return False
            p = blank(p + 1)
            at = self.attribute(name, guess)
            if at < 0:
                if form != PLAIN:
                    return False
                p = skip(p)
            else:
                if seen & (1 << at):
                    return False
                seen |= 1 << at
                guess = at + 1
                if at == DATA:
                    if seen & (1 << TYPE):
                        p = self.data(p)
                    else:
                        late = p
                        late_end = p = span(p)
                elif at == REVISION:
                    revision = 0
                    while 48 <= p[0] <= 57 and revision < 2147483648:
                        revision = revision * 10 + p[0] - 48
                        if revision == 0:
                            return False
                        p += 1
                    if not 1 <= revision <= 2147483647 or p[0] == 46 or p[0] == 101 or p[0] == 69:
                        return False
                elif p[0] == 110 and at >= ENTITY:
                    if not word(p, b"null"):
                        return False
                    p += 4
                else:
                    p = text(p, &got[at], &form)
                    if p == NULL or form == ESCAPED:
                        return False
                    if at == TYPE:
                        if not same(got[at], <bytes>self.type_name):
                            return False
                    elif at == SPECVERSION:
                        if got[at].size != 3 or memcmp(got[at].at, b"1.0", 3) != 0:
                            return False
                    else:
                        length = characters(got[at], form)
                        if length < self.least[at] or length > self.most[at]:
                            return False
            if p == NULL:
                return False
            p = blank(p)
            if p[0] == 44:
                p = p + 1
                continue
            if p[0] != 125:
                return False
            break
        if blank(p + 1) != end:
            return False
        if seen & 127 != 127:  # the required ones, which come first
            return False
        if late != NULL and self.data(late) != late_end:
            return False
        if not same(got[SUBJECT], key) or got[SOURCE].size > 600:
            return False
        if got[DATASCHEMA].at != NULL and not same(got[DATASCHEMA], self.dataschema):  # of another version
            return False
        if not instant(got[TIME], &self.ms, &self.offset) or self.ms > received_ms + TOO_FAR:
            return False
        if got[SENTAT].at != NULL and not instant(got[SENTAT], &sent_ms, &sent_offset):
            return False
        self.revision = revision
        return True

    cdef int attribute(self, Text name, int guess) noexcept:
        """Which of the envelope's; the one after the last is looked at first. -1: unknown."""
        cdef int i
        if guess < ATTRIBUTES and name.size == self.names[guess].size:
            if memcmp(name.at, self.names[guess].at, name.size) == 0:
                return guess
        for i in range(ATTRIBUTES):
            if name.size == self.names[i].size and memcmp(name.at, self.names[i].at, name.size) == 0:
                return i
        return -1
