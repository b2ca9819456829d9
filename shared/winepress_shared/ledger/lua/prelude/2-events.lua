-- Part of every script: the events of a job, and what its webhook is told of them.

local KEPT_MS = 7 * 86400000 -- a delivery is forgotten after this, whether it was made or not
local DELIVERIES = 20000 -- the most that are listed
local TRIES = 30 -- the most that are kept of a delivery
local PAUSE_MS = 500 -- a job's webhook hears of its progress at most this often
-- Event of a job → what a webhook calls it.
local HOOKS = {running = 'start', ['unit-done'] = 'output', progress = 'logs', note = 'logs',
  ['unit-retry'] = 'logs', ['unit-failed'] = 'logs', succeeded = 'completed', failed = 'completed',
  canceled = 'completed', expired = 'completed'}

local function forget_old_deliveries()
  redis.call('ZREMRANGEBYSCORE', key('outbox'), '-inf', now - KEPT_MS)
  redis.call('ZREMRANGEBYSCORE', key('deliveries'), '-inf', now - KEPT_MS)
  local surplus = redis.call('ZCARD', key('deliveries')) - DELIVERIES
  if surplus <= 0 then return end
  for _, old in ipairs(redis.call('ZRANGE', key('deliveries'), 0, math.min(surplus, 10) - 1)) do
    redis.call('ZREM', key('deliveries'), old)
    if not redis.call('ZSCORE', key('outbox'), old) then
      redis.call('UNLINK', key('delivery', old), key('tries', old))
    end
  end
end

-- A message that waits is replaced by one that tells more. The last of its name that was delivered stays
-- listed as such.
local function supersede(delivery)
  if redis.call('ZREM', key('outbox'), delivery) == 0 then return end
  local last = redis.call('LINDEX', key('tries', delivery), -1)
  local sent = string.match(redis.call('HGET', key('delivery', delivery), 'sent') or '', '^%d+$')
  if last and sent and decode(last).error == '' then
    redis.call('HSET', key('delivery', delivery), 'state', 'delivered', 'created', sent)
    redis.call('ZADD', key('deliveries'), sent, delivery)
  elseif last then
    redis.call('HSET', key('delivery', delivery), 'state', 'superseded')
  else
    redis.call('ZREM', key('deliveries'), delivery)
    redis.call('UNLINK', key('delivery', delivery))
  end
end

local function add_delivery(id, delivery, hook, user, due)
  forget_old_deliveries()
  redis.call('ZADD', key('outbox'), due, delivery)
  redis.call('ZADD', key('deliveries'), now, delivery)
  redis.call('HSET', key('delivery', delivery), 'job', id, 'user', user, 'event', hook, 'created', now,
    'state', 'waiting', 'tries', 0)
  redis.call('PEXPIRE', key('delivery', delivery), KEPT_MS)
end

-- Whether the webhook of a job is told of something.
local function is_told(job, hook)
  return job.hooks ~= nil and string.find('.' .. job.hooks .. '.', '.' .. hook .. '.', 1, true) ~= nil
end

-- Put a message to the webhook of a job into the outbox, in the same step as the event itself. The end of a
-- job is a delivery of its own, ID_completed_TIME. Of its progress at most one message waits, ID_output or
-- ID_logs: it tells what is true when it is sent, so those that come meanwhile need none.
local function tell_webhook(job, kind)
  local hook, id = HOOKS[kind], job.id
  if not hook or not is_told(job, hook) then return end
  local output, logs = id .. '_output', id .. '_logs'
  if hook == 'completed' then
    supersede(output)
    supersede(logs)
    add_delivery(id, id .. '_completed_' .. now, hook, job.user, now)
  elseif hook == 'start' then
    -- A job whose slices were given back runs again; it starts once.
    if redis.call('EXISTS', key('delivery', id .. '_start')) == 0 then
      add_delivery(id, id .. '_start', hook, job.user, now)
    end
  elseif not redis.call('ZSCORE', key('outbox'), output) then
    local due = redis.call('ZSCORE', key('outbox'), logs)
    if due and hook == 'logs' then return end
    supersede(logs)
    add_delivery(id, id .. '_' .. hook, hook, job.user, tonumber(due) or now + PAUSE_MS)
  end
end

-- Whether anybody hears of the steps of a job.
local function is_watched(job)
  return is_told(job, 'logs') or redis.call('EXISTS', key('watched', job.id)) == 1
end

local function event(job, kind, ...)
  local stream = key('events', job.id)
  local function add(...)
    return redis.call('XADD', stream, 'NOMKSTREAM', 'MAXLEN', '~', EVENTS, '*', 'event', kind, 'at', now, ...)
  end
  if not add(...) then
    redis.call('XADD', stream, job.created .. '-0', 'event', 'queued', 'at', job.created)
    add(...)
  end
  tell_webhook(job, kind)
end
