"""PostgreSQL: the summaries that the app reads and joins.

tables      user_metrics_daily (by month, row-level security by user), rejected; migrations/ holds the numbered SQL
write       one transaction: COPY into a temporary table, one upsert "where the new version is higher"
encode.py   rows → what COPY takes, and the statements, from schemas.tables (pure)
retry.py    PostgreSQL's errors → what to do next (pure)
read.py     rows back, as the stream sent them
"""
