"""chserver: ClickHouse's HTTP interface over chdb, ClickHouse's own engine inside this process.

sql.py       where a statement ends and its data begins, which format it names
body.py      a request's body: content codings of many frames, spooled to disk
engine.py    chdb: one connection per request, settings and parameters its own; sessions.py keeps named ones
answer.py    results stream out of the engine through a named pipe, in ClickHouse's own formats and headers
app.py       the requests: who may ask, what is asked, what goes back; errors.py speaks ClickHouse's codes
promise      an insert answered with 200 survives kill -9 of this process; a body cut short inserts nothing
"""
