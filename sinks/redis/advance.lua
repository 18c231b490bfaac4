-- Say up to where this Redis holds everything, if it still holds what the caller thinks.
-- KEYS[1]: the hash of places. ARGV: place, what it held when the caller last looked ('' for nothing), next offset; again.
-- Returns the places where it holds something else; they are left as they are.
local other = {}
for i = 1, #ARGV, 3 do
  local held = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  if held ~= ARGV[i + 1] then
    other[#other + 1] = ARGV[i]
  elseif held ~= ARGV[i + 2] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  end
end
return other
