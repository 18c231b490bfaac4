"""trending: what is seen more than it is wont to be; videos, creators, hashtags, sounds; per region; 1 h, 24 h, 7 d.

topics    views (key: user) → trending-counts (item, minute, region, source partition) → trending (whole lists)
fold      core.py: winners, and one count per user and item in an hour, a day, a week; merge.py: counts to lists
formula   scoring.py: observed over expected, decayed, in integers; ranking.py: cap per creator, blocks
tables    trending, daybook:trending:{kind}:{region}:{window}, history in ClickHouse
promise   any order, any duplication, bots, edits, deletes within a day's lateness: the lists of offline.py, one pass
"""
