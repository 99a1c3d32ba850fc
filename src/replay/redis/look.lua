-- Finds the marker of this memory, or begins one behind a fence. KEYS: the marker, the probe. ARGV: the
-- run id, the replication id that it was promoted from or nothing, how many keys it has evicted, the
-- caller's time, the greatest clock that the caller knows of this store, future, skew. See mod.rs.
local time = redis.call('TIME')
local clock = tonumber(time[1])
if math.abs(clock - tonumber(ARGV[4])) > tonumber(ARGV[7]) then return {'', clock, 0} end
-- Before anything else is written: where a claim could not be made, nothing is.
redis.call('SET', KEYS[2], 1, 'NX', 'EX', 1)
redis.call('DEL', KEYS[2])
local marker = redis.call('HMGET', KEYS[1], 'run', 'promoted', 'evicted', 'born', 'clock', 'fence')
clock = math.max(clock, tonumber(marker[5] or 0), tonumber(ARGV[5]))
local born, fence = marker[4], marker[6]
local whole = marker[1] == ARGV[1] and marker[3] == ARGV[3] and (ARGV[2] == '' or marker[2] == ARGV[2])
if not (whole and born and fence) then
  born, fence = time[1] .. '.' .. time[2], clock + tonumber(ARGV[6])
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'run', ARGV[1], 'promoted', ARGV[2], 'evicted', ARGV[3],
    'born', born, 'fence', fence)
end
redis.call('HSET', KEYS[1], 'clock', clock)
return {born, clock, tonumber(fence)}
