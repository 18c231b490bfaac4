-- Put a whole list in the place of an older one.
-- KEYS[1]: the sorted set. KEYS[2]: a hash beside it: version, at_ms. ARGV: version, at_ms, seconds to live, then score
-- and member in turn. Versions are compared as texts of digits. Returns 1 if it was newer.
local kept, version = redis.call('HGET', KEYS[2], 'version'), ARGV[1]
if kept and (#kept > #version or (#kept == #version and kept >= version)) then
  return 0
end
redis.call('DEL', KEYS[1])
if #ARGV > 3 then
  redis.call('ZADD', KEYS[1], unpack(ARGV, 4))
end
redis.call('HSET', KEYS[2], 'version', version, 'at_ms', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
