"""ClickHouse: every event, the winner of every entity, every daily row: for analysts, repair, verify and explain.

tables      events, entities, positions, daily, rejected; views *_current are right before merges too and need no FINAL
write       one insert a table and batch, entities before the positions that speak of them; replays collapse by key
encode.py   rows → columns; events.py: the typed columns of events (both pure)
retry.py    ClickHouse's errors → what to do next (pure)
read.py     rows back, as the stream sent them
"""
