-- Put whole lists in the place of older ones.
-- KEYS: sorted set, hash beside it; again. ARGV[1]: seconds to live from now. ARGV[i + 1]: msgpack {version, at_ms,
-- score, member, score, member, ...}, all texts. Versions are compared as texts of digits. Returns how many were written.
local written = 0
for i = 1, #KEYS, 2 do
  local own, beside = KEYS[i], KEYS[i + 1]
  local row = cmsgpack.unpack(ARGV[(i + 1) / 2 + 1])
  local kept, version = redis.call('HGET', beside, 'version'), row[1]
  if not kept or #kept < #version or (#kept == #version and kept < version) then
    redis.call('DEL', own)
    if #row > 2 then
      redis.call('ZADD', own, unpack(row, 3))
    end
    redis.call('HSET', beside, 'version', version, 'at_ms', row[2])
    redis.call('EXPIRE', own, ARGV[1])
    redis.call('EXPIRE', beside, ARGV[1])
    written = written + 1
  end
end
return written
