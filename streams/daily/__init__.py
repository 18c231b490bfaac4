"""daily: what happened on each day that a user lived.

topics    workouts, meals, body, plans       key: user
fold      core.py: the ledger keeps the winner per entity (revision, is-delete, digest); a day is a sum of winners
rows      rows.py: sums from the cell; overlap.py what several sources saw; valid.py what judges it
tables    user_metrics_daily, daily, daybook:day:{user}:{date}; entities in ClickHouse is the ledger itself
promise   any order, any duplication, edits, deletes, late and moved events: the totals of one batch pass over the set
"""
