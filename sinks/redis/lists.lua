-- Put whole lists in the place of older ones.
-- KEYS: a list or sorted set, the hash beside it; again. ARGV[1]: seconds to live from now. ARGV[2]: the command that
-- fills it, RPUSH or ZADD. ARGV[i + 2]: msgpack {{"version", version, field, value, ...}, {argument of the command, ...}}
-- of one, all texts. Versions are compared as texts of digits. Returns how many were written.
local written = 0
for i = 1, #KEYS, 2 do
  local own, beside = KEYS[i], KEYS[i + 1]
  local said, filling = unpack(cmsgpack.unpack(ARGV[(i + 1) / 2 + 2]))
  local kept, version = redis.call('HGET', beside, 'version'), said[2]
  if not kept or #kept < #version or (#kept == #version and kept < version) then
    redis.call('DEL', own)
    if #filling > 0 then
      redis.call(ARGV[2], own, unpack(filling))
    end
    redis.call('HSET', beside, unpack(said))
    redis.call('EXPIRE', own, ARGV[1])
    redis.call('EXPIRE', beside, ARGV[1])
    written = written + 1
  end
end
return written
