"""keep: data stays as long as it may, and no longer.

policy.py   what is due, given today's date; pure
months.py   PostgreSQL: months are made ahead, rows leave some at a time, empty months are dropped
raw.py      ClickHouse: events leave by the day of their receipt
days.py     daily rows leave so long after their last change, and a register says which and what they said
said.py     what a row says, in sixteen bytes: who compares knows a dropped row from a lost one
archive.py, archiving.py, restore.py   before it leaves: Parquet files that were read back and compared; and back again
forget.py   a person leaves the archive
once.py     one pass over all of it: `daybook keep`, and once a day the role audit
promise     nothing is due that is younger than the settings say; a pass that was cut short is gone on with by the next
"""
