"""Redis (or Valkey): every changed daily row, for reads within a few milliseconds.

keys        hash daybook:day:{user}:{date}; fields as the columns of user_metrics_daily, what is null is absent
write       write.lua, some hundred rows a call: replaces a whole hash if the new version is higher, and sets its TTL
lists       lists.lua replaces whole lists of trending and recommendations in the same way (trending.py, affinity.py)
refill      hash daybook:filled says up to which offset of `daily` this Redis holds everything (advance.lua). It goes
            when the rows go (emptied, restored): a sink that finds less than it stored reads again from there
encode.py   rows → what write.lua takes (pure)
retry.py    Redis's errors → what to do next (pure)
read.py     rows back, as the stream sent them
"""
