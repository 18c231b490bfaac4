-- Put whole lists in the place of older ones.
-- KEYS: list, hash beside it; again. ARGV[1]: seconds to live from now. ARGV[i + 1]: msgpack {version, at_ms, entries as
-- JSON, id, id, ...}, all texts. Versions are compared as texts of digits. Returns how many were written.
local written = 0
for i = 1, #KEYS, 2 do
  local own, beside = KEYS[i], KEYS[i + 1]
  local row = cmsgpack.unpack(ARGV[(i + 1) / 2 + 1])
  local kept, version = redis.call('HGET', beside, 'version'), row[1]
  if not kept or #kept < #version or (#kept == #version and kept < version) then
    redis.call('DEL', own)
    for j = 4, #row do
      redis.call('RPUSH', own, row[j])
    end
    redis.call('HSET', beside, 'version', version, 'at_ms', row[2], 'entries', row[3])
    redis.call('EXPIRE', own, ARGV[1])
    redis.call('EXPIRE', beside, ARGV[1])
    written = written + 1
  end
end
return written
