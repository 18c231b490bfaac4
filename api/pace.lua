-- Count what one sender is allowed in a sliding window (api/pace.py says how it is judged).
-- KEYS: counts of this fixed window and of the one before. ARGV: limit, cost, part of the window before that still
-- counts, seconds to keep, whether to count (1 or 0). Returns both counts as they were before; the cost is added if it is
-- allowed and counted.
local current, before = tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(redis.call('GET', KEYS[2]) or 0)
if ARGV[5] == '1' and before * tonumber(ARGV[3]) + current + tonumber(ARGV[2]) <= tonumber(ARGV[1]) then
  redis.call('INCRBY', KEYS[1], ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return {before, current}
