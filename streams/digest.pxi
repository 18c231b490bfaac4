# SHA-256 without an object for each event: hashlib's own libcrypto, asked directly where the platform shows its functions;
# hashlib elsewhere (a Python with OpenSSL built in hides them). Included by readers; the result is the same to the bit.

from libc.stdint cimport uint8_t
from libc.string cimport memcpy as _copy

from hashlib import sha256 as _sha256

cdef extern from "dlfcn.h" nogil:
    void *dlopen(const char *name, int flags)
    void *dlsym(void *handle, const char *name)
    enum: RTLD_LAZY, RTLD_LOCAL

ctypedef int (*sha256_init)(void *) noexcept nogil
ctypedef int (*sha256_update)(void *, const void *, size_t) noexcept nogil
ctypedef int (*sha256_final)(unsigned char *, void *) noexcept nogil

cdef enum: SHA256_STATE = 512  # SHA256_CTX has 112 bytes in every OpenSSL there is

cdef sha256_init _begin = NULL
cdef sha256_update _take = NULL
cdef sha256_final _end = NULL


cdef bint _find_sha256():
    """Whether libcrypto shows its functions and they say what hashlib says."""
    global _begin, _take, _end
    cdef uint8_t[32] found
    cdef void *library
    try:
        import _hashlib
        name = _hashlib.__file__.encode()
    except (ImportError, AttributeError):
        return False
    library = dlopen(name, RTLD_LAZY | RTLD_LOCAL)  # what is loaded already; its dependencies are looked through too
    if library == NULL:
        return False
    _begin = <sha256_init>dlsym(library, b"SHA256_Init")
    _take = <sha256_update>dlsym(library, b"SHA256_Update")
    _end = <sha256_final>dlsym(library, b"SHA256_Final")
    if _begin == NULL or _take == NULL or _end == NULL:
        return False
    said = bytes(range(256)) * 3
    _digest(said, 768, found)
    return found[:32] == _sha256(said).digest()


cdef void _digest(const uint8_t *data, Py_ssize_t size, uint8_t *out) noexcept:
    cdef uint8_t[SHA256_STATE] state
    _begin(<void *>state)
    _take(<void *>state, data, size)
    _end(out, <void *>state)


cdef bint DIRECT = _find_sha256()


cdef int digest(const uint8_t *data, Py_ssize_t size, uint8_t *out) except -1:
    """The 32 bytes of SHA-256 over so many bytes."""
    if DIRECT:
        _digest(data, size, out)
        return 0
    return _by_hashlib(data, size, out)


cdef int _by_hashlib(const uint8_t *data, Py_ssize_t size, uint8_t *out) except -1:
    found = _sha256(<bytes>data[:size]).digest()
    _copy(out, <const uint8_t *><const char *>found, 32)
    return 0


def digests(bytes data not None):
    """The digest in each of the ways that there are here, for tests."""
    cdef uint8_t[32] out
    _by_hashlib(<const uint8_t *><const char *>data, len(data), out)
    found = [out[:32]]
    if DIRECT:
        _digest(<const uint8_t *><const char *>data, len(data), out)
        found.append(out[:32])
    return found
