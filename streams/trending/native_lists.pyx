# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Stage two's hot path, compiled: counts from their bundles into sums, sums to scores.

What is no count of the usual form (marks, claims, other writers' bytes) goes through Python (merge.py), which alone
defines what it means; tests/unit/test_trending_native_lists.py holds both to the same lists.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem, PyDict_Next
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memcpy, memmove, memset

import heapq

from schemas.positions import GENERATION_SHIFT
from schemas.topics import REBUILDS_APART, TRENDING_GENERATION
from msgspec import Raw

from schemas.trending import ALL, Entry, encode_entry, unpack_bundle
from streams.trending.crowd import BUCKETS, RENEWED_AT, Crowd
from streams.trending.scoring import AHEAD, HOURS_PER_WEEK, MINUTES, hour_weights, landmark, score, weight
from streams.trending.series import Summed
from streams.trending.viewers import MOST_EXACT

cdef extern from *:
    """typedef __int128 wide;"""
    ctypedef long long wide  # only added and multiplied; never turned into an object as it is

cdef enum: WINDOWS = 3, HASH = 8
cdef int64_t[WINDOWS] SIZES = MINUTES
cdef int64_t[WINDOWS] SKETCHED = BUCKETS
cdef int64_t AHEAD_MINUTES = AHEAD, WEEK_HOURS = HOURS_PER_WEEK
cdef int64_t SHIFT = GENERATION_SHIFT, APART = REBUILDS_APART, OURS = TRENDING_GENERATION
cdef int64_t RENEWED = RENEWED_AT
cdef int MOST = MOST_EXACT
cdef object EVERYWHERE = ALL
cdef uint64_t *SLOTS = <uint64_t *>PyMem_Malloc((4 * MOST + 64) * sizeof(uint64_t))  # a set; one thread at a time
if SLOTS == NULL:
    raise MemoryError
cdef double NEAR = 1e-6  # doubles are far more exact than that


cdef struct Minute:
    int32_t at
    int32_t n[4]

cdef struct Hour:
    int32_t at
    int32_t n[3]

cdef struct Total:
    int64_t landmark, now, seen, reacted, viewers, plain

cdef struct Crowded:
    int64_t bucket, views, viewers

cdef struct Shares:
    int64_t now, first
    int n
    int64_t *each

cdef struct Chance:
    double bound
    PyObject *item
    PyObject *series


cdef class Scale:
    """The parameters, and the weights of minutes as they are asked for."""

    cdef object params, unit_of, floor_of
    cdef int64_t[WINDOWS] unit_at
    cdef list units
    cdef int64_t least
    cdef double milli, floor
    cdef (int64_t *)[WINDOWS] weights
    cdef Shares[WINDOWS] shares

    def __cinit__(self, params):
        cdef int w
        cdef Py_ssize_t i, size
        self.params, self.least = params, params.least_viewers
        self.milli, self.floor = params.reaction_milli / 1000.0, params.floor
        self.units = [None, None, None]
        for w in range(WINDOWS):
            size = 2 * SIZES[w] + AHEAD_MINUTES + 1
            self.weights[w] = <int64_t *>PyMem_Malloc(size * sizeof(int64_t))
            self.shares[w] = Shares(-1, 0, 0, <int64_t *>PyMem_Malloc((SIZES[w] // 60 + 2) * sizeof(int64_t)))
            self.unit_at[w] = -1
            if self.weights[w] == NULL or self.shares[w].each == NULL:
                raise MemoryError
            for i in range(size):
                self.weights[w][i] = -1

    def __dealloc__(self):
        for w in range(WINDOWS):
            PyMem_Free(self.weights[w])
            PyMem_Free(self.shares[w].each)

    cdef int64_t weight(self, int w, int64_t after) except -1:
        """Of a minute that lies so many after the landmark."""
        cdef int64_t *held = self.weights[w] + after + SIZES[w]
        if held[0] < 0:
            held[0] = weight(SIZES[w], self.params.half_lives_per_window, after)
        return held[0]

    cdef object unit(self, int w, int64_t now):
        """Of this minute, which scores are relative to."""
        if self.unit_at[w] != now:
            size = SIZES[w]
            self.units[w], self.unit_at[w] = self.weight(w, now - landmark(size, now)), now
        return self.units[w]

    cdef Shares *hours(self, int w, int64_t now) except NULL:
        """What each hour of the window weighs."""
        cdef Shares *held = &self.shares[w]
        cdef int i
        if held.now != now:
            found = sorted(hour_weights(SIZES[w], self.params.half_lives_per_window, now).items())
            held.now, held.first, held.n = now, found[0][0], len(found)
            for i in range(held.n):
                held.each[i] = found[i][1]
        return held


cdef class Series:
    """See streams/trending/series.py."""

    cdef Scale scale
    cdef Minute *minutes
    cdef Hour *hours
    cdef int count, room, hour_count, hour_room
    cdef Total[WINDOWS] sums
    cdef Crowded[WINDOWS] told
    cdef public object crowd
    cdef public int64_t changes

    def __cinit__(self, Scale scale):
        self.scale = scale
        for w in range(WINDOWS):
            self.sums[w].landmark = self.told[w].bucket = -1

    def __dealloc__(self):
        PyMem_Free(self.minutes)
        PyMem_Free(self.hours)

    def add(self, int64_t minute, by):
        cdef int64_t[4] more = by
        self.plus(minute, more)

    cdef int plus(self, int64_t minute, int64_t *by) except -1:
        cdef int i, at = self.place(minute)
        cdef Minute *held
        cdef int64_t after
        self.changes += 1
        if at == self.count or self.minutes[at].at != minute:
            if self.count == self.room:
                self.room = 2 + self.room + self.room // 2
                held = <Minute *>PyMem_Realloc(self.minutes, self.room * sizeof(Minute))
                if held == NULL:
                    raise MemoryError
                self.minutes = held
            memmove(self.minutes + at + 1, self.minutes + at, (self.count - at) * sizeof(Minute))
            self.count += 1
            memset(self.minutes + at, 0, sizeof(Minute))
            self.minutes[at].at = minute
        held = self.minutes + at
        for i in range(4):
            held.n[i] += by[i]
        self.hour(minute // 60, by, 1)
        for i in range(WINDOWS):
            if self.sums[i].landmark >= 0 and is_inside(minute, SIZES[i], self.sums[i].now):
                self.change(i, minute, by[i], by[3])
        return 0

    cdef int place(self, int64_t minute) noexcept:
        """Where a minute is, or belongs."""
        cdef int low = 0, high = self.count, middle
        if high == 0 or self.minutes[high - 1].at < minute:
            return high
        while low < high:
            middle = (low + high) // 2
            if self.minutes[middle].at < minute:
                low = middle + 1
            else:
                high = middle
        return low

    cdef int hour_place(self, int64_t hour) noexcept:
        cdef int low = 0, high = self.hour_count, middle
        if high == 0 or self.hours[high - 1].at < hour:
            return high
        while low < high:
            middle = (low + high) // 2
            if self.hours[middle].at < hour:
                low = middle + 1
            else:
                high = middle
        return low

    cdef int hour(self, int64_t hour, int64_t *by, int sign) except -1:
        cdef int i, at = self.hour_place(hour)
        cdef Hour *held
        if at == self.hour_count or self.hours[at].at != hour:
            if self.hour_count == self.hour_room:
                self.hour_room = 1 + self.hour_room + self.hour_room // 2
                held = <Hour *>PyMem_Realloc(self.hours, self.hour_room * sizeof(Hour))
                if held == NULL:
                    raise MemoryError
                self.hours = held
            memmove(self.hours + at + 1, self.hours + at, (self.hour_count - at) * sizeof(Hour))
            self.hour_count += 1
            memset(self.hours + at, 0, sizeof(Hour))
            self.hours[at].at = hour
        for i in range(3):
            self.hours[at].n[i] += sign * by[i]
        return at

    def forget(self, int64_t minute, by):
        cdef int64_t[4] less = by
        cdef int i, at = self.place(minute)
        cdef bint left = False
        for i in range(WINDOWS):
            if self.sums[i].landmark >= 0 and is_inside(minute, SIZES[i], self.sums[i].now):
                self.sums[i].landmark = -1
        if at == self.count or self.minutes[at].at != minute:
            return
        for i in range(4):
            self.minutes[at].n[i] -= less[i]
            left |= self.minutes[at].n[i] != 0
        if not left:
            self.count -= 1
            memmove(self.minutes + at, self.minutes + at + 1, (self.count - at) * sizeof(Minute))

    def add_hour(self, int64_t hour, by, int sign=1):
        cdef int64_t[4] some = [by[0], by[1], by[2], 0]
        self.hour(hour, some, sign)

    def forget_hour(self, int64_t hour, by):
        cdef int64_t[4] some = [by[0], by[1], by[2], 0]
        cdef int at = self.hour(hour, some, -1)
        cdef int32_t *n = self.hours[at].n
        if n[0] == 0 and n[1] == 0 and n[2] == 0:
            self.hour_count -= 1
            memmove(self.hours + at, self.hours + at + 1, (self.hour_count - at) * sizeof(Hour))
        return self.hour_count == 0 and self.count == 0

    cdef inline int change(self, int w, int64_t minute, int64_t views, int64_t reactions) except -1:
        cdef Total *sums = &self.sums[w]
        cdef int64_t unit
        if views == 0 and reactions == 0:
            return 0
        unit = self.scale.weight(w, minute - sums.landmark)
        sums.seen += unit * views
        sums.reacted += unit * reactions
        sums.viewers += views
        sums.plain += reactions
        return 0

    cdef Total *settle(self, int w, int64_t now) except NULL:
        """The sums of a window that ends with this minute; made anew at a new landmark. Never goes back."""
        cdef Total *sums = &self.sums[w]
        cdef int64_t size = SIZES[w], at = now // size * size, before = sums.now
        cdef int i
        if sums.landmark == at and before == now:
            return sums
        sums.now = now
        if sums.landmark != at:
            sums[0] = Total(at, now, 0, 0, 0, 0)
            self.change_all(w, now - size, now + AHEAD_MINUTES, 1)
        else:
            self.change_all(w, before - size, now - size, -1)
            self.change_all(w, before + AHEAD_MINUTES, now + AHEAD_MINUTES, 1)
        return sums

    cdef int change_all(self, int w, int64_t after, int64_t through, int sign) except -1:
        cdef int i = self.place(after + 1)
        while i < self.count and self.minutes[i].at <= through:
            self.change(w, self.minutes[i].at, sign * self.minutes[i].n[w], sign * self.minutes[i].n[3])
            i += 1
        return 0

    def summed(self, int window, int64_t now):
        cdef Total *sums = self.settle(window, now)
        return Summed(sums.seen, sums.reacted, sums.viewers, sums.plain)

    def parts(self, int window, int64_t now, int weeks):
        cdef Total *sums = self.settle(window, now)
        if sums.viewers < self.scale.least:
            return None
        base = self.base(window, now, weeks)
        return score(self.scale.params, SIZES[window], now, sums.seen, sums.reacted, base, sums.viewers)

    cdef object base(self, int w, int64_t now, int weeks):
        """See `baseline` of scoring.py."""
        cdef Shares *shares
        cdef wide total = 0
        cdef int back, i
        cdef int64_t first
        if weeks == 0 or self.hour_count == 0:
            return 0
        shares = self.scale.hours(w, now)
        for back in range(1, weeks + 1):
            first = shares.first - WEEK_HOURS * back
            i = self.hour_place(first)
            while i < self.hour_count and self.hours[i].at < first + shares.n:
                total += <wide>self.hours[i].n[w] * shares.each[self.hours[i].at - first]
                i += 1
        total = total // (60 * weeks)
        return (<object><int64_t>(total >> 62) << 62) + <int64_t>(total & 0x3FFFFFFFFFFFFFFF)

    cdef double bound(self, int w, int64_t now, double unit) except? -1.0:
        """More than its score can be, were nothing expected but the floor; below 0: it has none."""
        cdef Total *sums = self.settle(w, now)
        cdef double observed, expected, over
        if sums.viewers < self.scale.least:
            return -2.0
        observed = sums.seen + sums.reacted * self.scale.milli
        expected = max(self.scale.floor * unit, 1.0)
        over = observed - expected
        if over < -1.0 - NEAR * observed:
            return -2.0
        over = max(over, 0.0) + 1.0
        return over * over * 1000.0 / (expected * unit) * (1.0 + NEAR) + 1.0

    cdef object entry(self, name, points, int w, int64_t now, int weeks, creator, left_out):
        """See `entry` of series.py; `points`: its score."""
        cdef Total *sums = self.settle(w, now)
        params = self.scale.params
        unit = self.scale.unit(w, now)
        views, plain, reacted = sums.viewers, sums.plain, sums.reacted
        reactions = reacted * params.reaction_milli // 1000
        observed = (sums.seen + reactions) / unit
        undecayed = views + plain * reactions / reacted if reacted else views
        return Entry(
            name,
            points,
            round(observed, 3),
            round(max(self.base(w, now, weeks), params.floor * unit, 1) / unit, 3),
            views,
            0 if self.crowd is None else self.unique(w, now, sums.viewers),
            round(reactions / unit, 3),
            round(observed / undecayed, 4) if undecayed else 0.0,
            creator,
            left_out,
        )

    cdef int64_t unique(self, int w, int64_t now, int64_t views) except -1:
        """See `unique` of crowd.py, of which this is the part that asks nobody."""
        cdef Crowded *told = &self.told[w]
        if told.bucket != now // SKETCHED[w] or abs(views - told.views) * RENEWED > views:
            self.crowd.unique(w, now, views, few)
            estimate = self.crowd.told[w]
            told.viewers, told.views, told.bucket = estimate.viewers, estimate.views, estimate.bucket
        return told.viewers

    cdef object exact(self, int w, int64_t now, int weeks):
        """See `score` of scoring.py; None: no trend."""
        cdef Total *sums = &self.sums[w]
        params = self.scale.params
        unit = self.scale.unit(w, now)
        observed = sums.seen + <object>sums.reacted * params.reaction_milli // 1000
        expected = max(self.base(w, now, weeks), params.floor * unit, 1)
        over = observed - expected
        if over <= 0:
            return None
        return over * over * 1000 // (expected * unit)


cdef inline bint is_inside(int64_t minute, int64_t window, int64_t now) noexcept:
    return now - window < minute <= now + AHEAD_MINUTES


cdef int by_bound(const void *a, const void *b) noexcept nogil:
    cdef double left = (<Chance *>a).bound, right = (<Chance *>b).bound
    return -1 if left > right else 1 if left < right else 0


cdef class NativeScoring:
    """See `Scoring` of boards.py: exact only for what may be over the bar, by bounds in floating point."""

    cdef Scale scale

    def __init__(self, Scale scale):
        self.scale = scale

    def best(self, asked, Py_ssize_t room):
        cdef dict items = asked[0]
        cdef int w = asked[1], weeks = asked[3]
        cdef int64_t now = asked[2]
        cdef double unit = self.scale.unit(w, now), bound
        cdef Chance *all_of_them = <Chance *>malloc((len(items) + 1) * sizeof(Chance))
        cdef Py_ssize_t at = 0, n = 0, i
        cdef PyObject *item
        cdef PyObject *series
        cdef dict scores = {}
        cdef list highest = []
        cdef double least = -1.0
        if all_of_them == NULL:
            raise MemoryError
        try:
            while PyDict_Next(items, &at, &item, &series):
                bound = (<Series>series).bound(w, now, unit)
                if bound >= 0.0:
                    all_of_them[n] = Chance(bound, item, series)
                    n += 1
            qsort(all_of_them, n, sizeof(Chance), by_bound)
            for i in range(n):
                if all_of_them[i].bound < least:
                    break
                points = (<Series>all_of_them[i].series).exact(w, now, weeks)
                if points is None:
                    continue
                scores[<object>all_of_them[i].item] = points
                if len(highest) < room:
                    heapq.heappush(highest, points)
                else:
                    heapq.heappushpop(highest, points)
                if len(highest) == room:
                    least = highest[0]
            else:
                if len(scores) <= room:
                    return scores, 0
        finally:
            free(all_of_them)
        bar = highest[0]
        return {each: points for each, points in scores.items() if points >= bar}, bar

    def again(self, asked, changed, dict scores, bar):
        cdef dict items = asked[0]
        cdef int w = asked[1], weeks = asked[3]
        cdef int64_t now = asked[2]
        cdef double unit = self.scale.unit(w, now), least = bar
        cdef PyObject *series
        for item in changed:
            series = PyDict_GetItem(items, item)
            if series != NULL and (<Series>series).bound(w, now, unit) >= least:
                points = (<Series>series).exact(w, now, weeks)
                if points is not None and points >= bar:
                    scores[item] = points
                    continue
            scores.pop(item, None)


def written(asked, list places, dict scores, dict before, creator_of):
    """The entries of a list (streams.trending.merge.Lists._written); those that would be as they were are of `before`."""
    cdef dict items = asked[0], found = {}
    cdef int w = asked[1], weeks = asked[3]
    cdef int64_t now = asked[2]
    cdef Series series
    for item, left_out in places:
        series = <Series?>items[item]
        creator = creator_of(item) if creator_of is not None else None
        made_of = (series.changes, now, weeks, creator, left_out)
        held = before.get(item)
        if held is None or held[0] != made_of:
            shown = series.entry(item, scores[item], w, now, weeks, creator, left_out)
            held = made_of, Raw(encode_entry(shown))
        found[item] = held
    return found


cdef class Held:
    """See streams/trending/summing.py."""

    cdef public int64_t version
    cdef int64_t[4] n

    def __init__(self, int64_t version, seen, int64_t reactions):
        self.version = version
        self.n[0], self.n[1], self.n[2] = seen
        self.n[3] = reactions

    @property
    def seen(self):
        return self.n[0], self.n[1], self.n[2]

    @property
    def reactions(self):
        return self.n[3]


cdef struct Text:
    const uint8_t *at
    Py_ssize_t size

cdef struct One:
    Text key, id, region, count, viewers
    int64_t kind, minute, source, version
    int64_t[4] n


def take(lists, list values):
    """Take bundles of counts (streams.trending.merge.Lists._take_bundle); how many held anything new."""
    cdef list unpacked = []
    cdef Py_ssize_t applied = 0
    cdef dict shelves = {}
    cdef Taker taker = Taker(lists)
    for value in values:
        unpacked.append(None if is_usual(<bytes?>value) else unpack_bundle(value))
    for value, bundle in zip(values, unpacked):
        if bundle is None:
            applied += taker.bundle(<bytes>value)
        else:
            applied += lists._take_bundle(bundle)
            taker.source = -1  # its clock may have moved
    return applied


cdef bint is_usual(bytes raw):
    cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(raw)
    cdef const uint8_t *end = p + PyBytes_GET_SIZE(raw)
    cdef int64_t n
    cdef One one
    p = array_head(p, end, &n)
    while p != NULL and n > 0:
        p = read(p, end, &one)
        n -= 1
    return p == end


cdef class Taker:
    """Takes counts of one chunk."""

    cdef object lists, make
    cdef dict counts, by_minute, state, shelves, minute_keys
    cdef int64_t source, horizon, minute
    cdef object minute_of

    def __init__(self, lists):
        self.lists, self.make = lists, lists.path.series
        self.counts, self.by_minute, self.state = lists._counts, lists._by_minute, lists._state
        self.shelves, self.source, self.minute = {}, -1, -1

    cdef bint bundle(self, bytes raw) except -1:
        """Whether anything in it was new."""
        cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(raw)
        cdef const uint8_t *end = p + PyBytes_GET_SIZE(raw)
        cdef int64_t n
        cdef One one
        cdef bint any_new = False
        p = array_head(p, end, &n)
        while n > 0:
            p = read(p, end, &one)
            n -= 1
            if (one.version >> SHIFT) % APART == OURS and self.one(&one):
                any_new = True
        return any_new

    cdef bint one(self, One *one) except -1:
        cdef PyObject *known
        cdef Held held
        cdef int64_t[4] by
        cdef int i
        cdef bytes key
        cdef tuple at
        if one.source != self.source:
            self.source, self.horizon = one.source, self.lists._horizon(one.source)
        if one.minute < self.horizon:
            return False
        key = <bytes>one.key.at[:one.key.size]
        known = PyDict_GetItem(self.counts, key)
        if known == NULL:
            held = Held.__new__(Held)
            self.counts[key] = held
        else:
            held = <Held><object>known
            if held.version >= one.version:
                return False
        held.version = one.version
        for i in range(4):
            by[i] = one.n[i] - held.n[i]
            held.n[i] = one.n[i]
        if one.minute != self.minute:
            self.minute, self.minute_of = one.minute, one.minute
            self.minute_keys = self.by_minute.setdefault(self.minute_of, {})
        if known == NULL:
            self.minute_keys[key] = None
        if by[0] != 0:
            self.lists._see(one.kind, one.minute // 60, by[0])
        item = PyUnicode_DecodeUTF8(<const char *>one.id.at, one.id.size, NULL)
        viewers = None
        if one.viewers.size:
            viewers = (self.minute_of, <bytes>one.viewers.at[:one.viewers.size])
        at = self.of(one)
        self.add(<dict>at[0], <dict>at[1], item, one.minute, by, key, viewers)
        if at[2] is not None:
            self.add(<dict>at[2], <dict>at[3], item, one.minute, by, key, viewers)
        name = PyBytes_FromStringAndSize(NULL, one.key.size + 1)
        PyBytes_AS_STRING(name)[0] = 99  # b"c": a count, in the changelog
        memcpy(PyBytes_AS_STRING(name) + 1, one.key.at, one.key.size)
        self.state[name] = <bytes>one.count.at[:one.count.size]
        return True

    cdef tuple of(self, One *one):
        """The shelves of a count, and what has changed on them."""
        cdef int64_t code = one.kind << 32
        cdef Py_ssize_t i
        for i in range(one.region.size):
            code |= <int64_t>(one.region.at[i] + 1) << 8 * i
        known = PyDict_GetItem(self.shelves, code)
        if known != NULL:
            return <tuple><object>known
        found = self.shelf(one.kind, EVERYWHERE)
        region = PyUnicode_DecodeUTF8(<const char *>one.region.at, one.region.size, NULL)
        found += self.shelf(one.kind, region) if region else (None, None)
        self.shelves[code] = found
        return found

    cdef tuple shelf(self, int64_t kind, region):
        at = (kind, region)
        return self.lists.shelves.setdefault(at, {}), self.lists._changed.setdefault(at, {})

    cdef int add(self, dict items, dict changed, item, int64_t minute, int64_t *by, bytes key, viewers) except -1:
        cdef PyObject *held = PyDict_GetItem(items, item)
        cdef Series series
        if held == NULL:
            series = self.make()
            items[item] = series
        else:
            series = <Series><object>held
        series.plus(minute, by)
        if viewers is not None:
            crowd = series.crowd
            if crowd is None:
                crowd = series.crowd = Crowd()
            (<dict>crowd.waiting)[key] = viewers
        changed[item] = None
        return 0


# -- msgpack, as schemas/trending.py packs it; NULL: anything else

cdef const uint8_t *read(const uint8_t *p, const uint8_t *end, One *one) noexcept:
    """A count with its key."""
    cdef int64_t n
    cdef int i
    p = array_head(p, end, &n)
    if p == NULL or n != 2:
        return NULL
    one.key.at = p
    p = array_head(p, end, &n)
    if p == NULL or n != 5:
        return NULL
    p = whole(p, end, &one.kind)
    p = text(p, end, &one.id)
    p = text(p, end, &one.region)
    p = whole(p, end, &one.minute)
    p = whole(p, end, &one.source)
    if p == NULL or one.kind > 3 or one.region.size > 2 or one.minute > 0x7FFFFFFF:
        return NULL
    one.key.size = p - one.key.at
    one.count.at = p
    p = array_head(p, end, &n)
    if p == NULL or n != 6:
        return NULL
    p = whole(p, end, &one.version)
    p = whole(p, end, &n)
    p = array_head(p, end, &n)
    if p == NULL or n != 3:
        return NULL
    for i in range(3):
        p = whole(p, end, &one.n[i])
    p = whole(p, end, &one.n[3])
    p = blob(p, end, &one.viewers)
    if p == NULL or p >= end or p[0] != 192:
        return NULL
    for i in range(4):
        if one.n[i] > 0x3FFFFFFF:
            return NULL
    p += 1
    one.count.size = p - one.count.at
    return p


cdef const uint8_t *array_head(const uint8_t *p, const uint8_t *end, int64_t *n) noexcept:
    if p == NULL or p >= end:
        return NULL
    if 144 <= p[0] < 160:
        n[0] = p[0] & 15
        return p + 1
    if p[0] == 220 and p + 3 <= end:
        n[0] = big(p + 1, 2)
        return p + 3 if n[0] > 15 else NULL
    return NULL


cdef const uint8_t *whole(const uint8_t *p, const uint8_t *end, int64_t *n) noexcept:
    """An integer, not negative, as short as can be."""
    cdef int size
    if p == NULL or p >= end:
        return NULL
    if p[0] < 128:
        n[0] = p[0]
        return p + 1
    if not 204 <= p[0] <= 207:
        return NULL
    size = 1 << (p[0] - 204)
    if p + 1 + size > end:
        return NULL
    n[0] = big(p + 1, size)
    if n[0] < (128 if size == 1 else <int64_t>1 << 4 * size):
        return NULL
    return p + 1 + size


cdef const uint8_t *text(const uint8_t *p, const uint8_t *end, Text *out) noexcept:
    if p == NULL or p >= end:
        return NULL
    if 160 <= p[0] < 192:
        out.size, out.at = p[0] & 31, p + 1
    elif p[0] == 217 and p + 2 <= end and p[1] > 31:
        out.size, out.at = p[1], p + 2
    elif p[0] == 218 and p + 3 <= end and p[1] > 0:
        out.size, out.at = big(p + 1, 2), p + 3
    else:
        return NULL
    return out.at + out.size if out.at + out.size <= end else NULL


cdef const uint8_t *blob(const uint8_t *p, const uint8_t *end, Text *out) noexcept:
    if p == NULL or p >= end:
        return NULL
    if p[0] == 196 and p + 2 <= end:
        out.size, out.at = p[1], p + 2
    elif p[0] == 197 and p + 3 <= end and p[1] > 0:
        out.size, out.at = big(p + 1, 2), p + 3
    else:
        return NULL
    return out.at + out.size if out.at + out.size <= end else NULL


cdef inline int64_t big(const uint8_t *p, int size) noexcept:
    cdef uint64_t value = 0
    cdef int i
    for i in range(size):
        value = value << 8 | p[i]
    return <int64_t>value


# -- viewers

def few(waiting, int64_t after, int64_t through):
    """See streams.trending.viewers.exactly."""
    cdef uint64_t hash_of
    cdef bytes viewers
    cdef Py_ssize_t i, n, told = 0, found = 0, at, last = 63
    cdef int64_t minute
    cdef bint has_zero = False
    waiting = list(waiting)
    for minute, viewers in waiting:
        if PyBytes_AS_STRING(viewers)[0] != 0:
            return None
        told += PyBytes_GET_SIZE(viewers) // HASH
        if told > MOST:
            return None
    while last < 2 * told:
        last = 2 * last + 1
    memset(SLOTS, 0, (last + 1) * sizeof(uint64_t))
    for minute, viewers in waiting:
        if not after < minute <= through:
            continue
        n = PyBytes_GET_SIZE(viewers) // HASH
        for i in range(n):
            memcpy(&hash_of, PyBytes_AS_STRING(viewers) + 1 + HASH * i, HASH)
            if hash_of == 0:
                found += not has_zero
                has_zero = True
                continue
            at = hash_of & last
            while SLOTS[at] != 0 and SLOTS[at] != hash_of:
                at = (at + 1) & last
            if SLOTS[at] == 0:
                SLOTS[at] = hash_of
                found += 1
    return found
