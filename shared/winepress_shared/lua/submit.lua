-- Accept a job: its row, its place in the ready sets. A job that comes back after the ledger was
-- lost brings the bitmap of its finished units with it (`keep_units`): the others are retries.
-- KEYS[1] prefix; keys: idem job done retry jobs ready served lanes queued expiries events turn keep
-- ARGV: id, idempotency key or '', digest, time to live of that key (ms), queue limit (units),
--       keep (ms), deadline in ms from now or 0, then field/value pairs of the row
-- Returns {'accepted'|'known'|'conflict'|'full', id, units waiting in the farm}
local id, idem, digest = ARGV[1], ARGV[2], ARGV[3]
local row = {}
for i = 8, #ARGV, 2 do row[ARGV[i]] = tonumber(ARGV[i + 1]) or ARGV[i + 1] end
local queued = tonumber(redis.call('GET', key('queued'))) or 0
if idem ~= '' then
  local known = redis.call('GET', key('idem', row.user, idem))
  if known then
    local known_id, known_digest = string.match(known, '^(%S+) (%S+)$')
    return {known_digest == digest and 'known' or 'conflict', known_id, queued}
  end
end
if redis.call('EXISTS', key('job', id)) == 1 then return {'known', id, queued} end
if queued + row.units > tonumber(ARGV[5]) then return {'full', id, queued} end
if idem ~= '' then redis.call('SET', key('idem', row.user, idem), id .. ' ' .. digest, 'PX', ARGV[4]) end
redis.call('SET', key('keep'), ARGV[6])
redis.call('HSET', key('job', id), 'state', 'queued', 'done', 0, 'failed', 0, 'cursor', 0,
  'leases', 0, 'created', now, 'started', 0, 'finished', 0, 'paused', 0, 'finishing', 0,
  'ready', 0, 'reason', '', 'order', now, 'expires', 0, unpack(ARGV, 8))
local deadline = tonumber(ARGV[7])
if deadline > 0 then
  redis.call('HSET', key('job', id), 'expires', now + deadline)
  redis.call('ZADD', key('expiries'), now + deadline, id)
end
local done = redis.call('BITCOUNT', key('done', id))
if done > 0 then
  redis.call('HSET', key('job', id), 'done', done, 'cursor', row.units,
    'finishing', done >= row.units and 1 or 0)
  for unit = 0, row.units - 1 do
    if redis.call('GETBIT', key('done', id), unit) == 0 then
      redis.call('ZADD', key('retry', id), now, unit)
    end
  end
end
redis.call('ZADD', key('jobs'), now, id)
redis.call('ZADD', key('jobs', 'queued'), now, id)
event(id, 'queued')
enter(read_job(id))
return {'accepted', id, queued + row.units}
