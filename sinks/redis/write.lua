-- Keep the higher version of each row, whole: fields that became null disappear.
-- KEYS: the hashes. ARGV[1]: seconds to live from now. ARGV[i + 1]: msgpack {"version", version, field, value, ...},
-- all texts. Versions are compared as texts of digits, because Lua's numbers end at 2^53.
-- Returns how many were written. All hashes are read before the first is changed: an error changes nothing.
local newer = {}
for i, key in ipairs(KEYS) do
  local row = cmsgpack.unpack(ARGV[i + 1])
  local kept, version = redis.call('HGET', key, 'version'), row[2]
  if not kept or #kept < #version or (#kept == #version and kept < version) then
    newer[#newer + 1] = {key, row, kept}
  end
end
for _, each in ipairs(newer) do
  if each[3] then
    redis.call('DEL', each[1])
  end
  redis.call('HSET', each[1], unpack(each[2]))
  redis.call('EXPIRE', each[1], ARGV[1])
end
return #newer
