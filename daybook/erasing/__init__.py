"""erasing: a person leaves every store, and nothing brings them back (docs/adr, docs/how-to/erase.md).

begin      run.py: onto the list in Kafka, from which streams, sinks and the HTTP service know at once
streams    drop the user in an ordinary transaction (`erase` of their states); kafka.py writes tombstones of old days
stores     stores.py: PostgreSQL, ClickHouse by a mutation, Redis; counts before and after
receipt    receipt.py: signed, with keyed hashes only; the table `erasures` keeps it, and runs that were cut short
promise    each step may be done again: a run that was cut short is gone on with by calling it again
"""
