-- One claim. KEYS: the marker, the claim. ARGV: the memory that is believed in, the caller's time, when
-- the credential was issued, its max-age, margin, future, skew. See mod.rs.
local marker = redis.call('HMGET', KEYS[1], 'born', 'clock', 'fence')
if marker[1] ~= ARGV[1] then return 'lost' end
local time = tonumber(redis.call('TIME')[1])
local now, issued, age = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if math.abs(time - now) > tonumber(ARGV[7]) then return 'clocks' end
local clock = tonumber(marker[2])
if time > clock then
  clock = time
  redis.call('HSET', KEYS[1], 'clock', clock)
end
if issued + age < clock then return 'stale' end
if issued > clock + tonumber(ARGV[6]) then return 'ahead' end
if issued <= tonumber(marker[3]) then return 'forgotten' end
-- Redis counts from the millisecond that its own clock shows: one second more for what was cut off.
local keep = clock - time + age + tonumber(ARGV[5]) + 1
if redis.call('SET', KEYS[2], 1, 'NX', 'EX', keep) then return 'first' end
return 'seen'
