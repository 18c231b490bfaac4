"""backfill: a metric's definition changes, for days gone by too, beside live events and without a moment's doubt.

shadow    shadow.py computes every day by the new definition, from ClickHouse's winners, with the stream's own core
          (compute.py), at a budget that yields to live events (budget.py, watch.py), into a table beside (values.py)
diff      values.py: users and days that change, the largest changes, samples
swap      swap.py: one transaction tells all owners; from then on they judge by it, and say again what changes
promise   a crash costs one slice; nothing that anybody reads changes before the swap; after it verify finds nothing
"""
