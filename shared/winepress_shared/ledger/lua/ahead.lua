#!lua flags=no-writes
-- What goes before a job in its lane, or before one that is submitted there now.
-- KEYS[1] prefix; keys: job ready waits slices limits parked paused serving leases lease
-- ARGV: lane, band, user, id or '', most jobs looked at
-- Returns {earlier jobs of the same user and band, units waiting in them, units waiting in higher
--          bands, slices of the user being drawn, how many they may be (0: any number), why the lane is
--          parked or '', names in `paused` that hold the job back ..., then '' and the units of each
--          other user of the band ..., then '' and of every slice of other jobs that a worker of the
--          lane has in hand: worker, lane, band (0: it gives way to nobody), units ...}
local lane, band, user, own, looked_at = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
local mine, units = key('ready', lane, band, user), 0
local rank = own == '' and redis.call('ZCARD', mine) or redis.call('ZRANK', mine, own) or 0
for place, id in ipairs(redis.call('ZRANGE', mine, 0, looked_at - 1)) do
  if place <= rank then units = units + (tonumber(redis.call('HGET', key('job', id), 'ready')) or 0) end
end
-- Of more jobs than that, those looked at stand for the others.
if rank > looked_at then units = math.ceil(units * rank / looked_at) end
local higher = 0
for above = 0, band - 1 do
  for _, count in ipairs(redis.call('HVALS', key('waits', lane, above))) do higher = higher + count end
end
local slices = tonumber(redis.call('HGET', key('slices'), user)) or 0
local found = {rank, units, higher, slices, limit_of('user_running_limit'),
  redis.call('GET', key('parked', lane)) or ''}
for _, scope in ipairs({'farm', 'lane:' .. lane, 'user:' .. user}) do
  if redis.call('HEXISTS', key('paused'), scope) == 1 then found[#found + 1] = scope end
end
found[#found + 1] = ''
local waits = redis.call('HGETALL', key('waits', lane, band))
for i = 1, #waits, 2 do
  if waits[i] ~= user then found[#found + 1] = tonumber(waits[i + 1]) end
end
found[#found + 1] = ''

local function tell_slice(worker, lease)
  local count = 0
  each_range(lease.open, function(first, last) count = count + last - first + 1 end)
  if count == 0 then return end
  local its_band = lease.firm == 1 and 0 or tonumber(redis.call('HGET', key('job', lease.job), 'band')) or 0
  for _, value in ipairs({worker, lease.lane, its_band, count}) do found[#found + 1] = value end
end

for _, fence in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
  local lease = read(key('lease', fence))
  -- Without a user all of it is drawn, and on its way.
  if lease and lease.user and lease.job ~= own then
    local worker = string.match(lease.holder, '^(.*)/')
    if redis.call('SISMEMBER', key('serving', lane), worker) == 1 then tell_slice(worker, lease) end
  end
end
return found
