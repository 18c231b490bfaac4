# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The records of a batch into the lists of a chunk, compiled: aiokafka makes an object of each, which costs more than the
record itself. What is not as Kafka's protocol says (kafka.apache.org/protocol, "Record") is left to aiokafka, whole.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint64_t

cdef enum: MOST_SHIFT = 63

cdef struct Reader:
    const uint8_t *at
    const uint8_t *end
    bint whole  # nothing was missing or wrong so far


cdef inline int64_t varint(Reader *reader) noexcept:
    """A zigzag number of base 128."""
    cdef uint64_t found = 0, byte
    cdef int shift = 0
    while reader.at < reader.end and shift <= MOST_SHIFT:
        byte = reader.at[0]
        reader.at += 1
        found |= (byte & 127) << shift
        if byte < 128:
            return <int64_t>(found >> 1) ^ -<int64_t>(found & 1)
        shift += 7
    reader.whole = False
    return 0


cdef inline object some(Reader *reader, int64_t size):
    """So many bytes; None for -1."""
    if size == -1:
        return None
    if size < -1 or size > reader.end - reader.at:
        reader.whole = False
        return None
    found = PyBytes_FromStringAndSize(<const char *>reader.at, size)
    reader.at += size
    return found


cdef object headers_of(Reader *reader, int64_t count):
    """Names and values; a name that is not UTF-8 ends it."""
    cdef list found = []
    cdef int64_t size
    while count > 0 and reader.whole:
        count -= 1
        size = varint(reader)
        if size < 0 or size > reader.end - reader.at:
            reader.whole = False
            break
        try:
            name = PyUnicode_DecodeUTF8(<const char *>reader.at, size, NULL)
        except UnicodeDecodeError:
            reader.whole = False
            break
        reader.at += size
        found.append((name, some(reader, varint(reader))))
    return found


def fill(chunk, bytes data not None, Py_ssize_t at, int64_t count, int64_t base, int64_t first_ms, int64_t fixed_ms,
         int64_t start):
    """Append the `count` records that lie in `data` from `at` on to a chunk's lists, but for those before the offset `start`.

    `base`, `first_ms`: what offsets and timestamps count from; `fixed_ms`: the timestamp of all, where not -1.
    Returns whether it did; otherwise the chunk is as it was.
    """
    cdef list offsets = chunk.offsets, timestamps = chunk.timestamps, keys = chunk.keys, values = chunk.values
    cdef dict headers = chunk.headers
    cdef Py_ssize_t had = PyList_GET_SIZE(offsets)
    cdef Reader reader
    cdef const uint8_t *after
    cdef int64_t size, ms, offset, more
    cdef list tagged = []
    if at > PyBytes_GET_SIZE(data):
        return False
    reader.at = <const uint8_t *>PyBytes_AS_STRING(data) + at
    reader.end = <const uint8_t *>PyBytes_AS_STRING(data) + PyBytes_GET_SIZE(data)
    reader.whole = True
    while count > 0 and reader.whole:
        count -= 1
        size = varint(&reader)
        if not reader.whole or size < 1 or size > reader.end - reader.at:
            reader.whole = False
            break
        after = reader.at + size
        reader.at += 1  # attributes, which nothing uses
        ms = varint(&reader)
        offset = base + varint(&reader)
        key = some(&reader, varint(&reader))
        value = some(&reader, varint(&reader))
        more = varint(&reader)
        said = headers_of(&reader, more) if more > 0 else None
        if not reader.whole or reader.at != after or more < 0:
            reader.whole = False
            break
        if offset < start:  # a compressed batch starts before the offset that was asked for
            continue
        offsets.append(offset)
        timestamps.append(first_ms + ms if fixed_ms == -1 else fixed_ms)
        keys.append(key)
        values.append(value)
        if said is not None:
            headers[offset] = said
            tagged.append(offset)
    if reader.whole and reader.at == reader.end:
        return True
    for each in (offsets, timestamps, keys, values):
        del each[had:]
    for each in tagged:
        del headers[each]
    return False
