#!lua flags=allow-oom
-- Take the delivery that has been due for longest. The end of a job stays in the outbox, due again after a
-- while, for its deliverer may die; a message about its progress is sent once.
-- KEYS[1] prefix; keys: outbox delivery job
-- ARGV: due again after (ms), then the owners of jobs that are passed over
-- Returns nil if none is due, else {delivery, job, user, event, created, tries, traceparent of the job or nil}
local MOST_LOOKS = 1000
check_numbers(1)
local passed = {}
for i = 2, #ARGV do passed[ARGV[i]] = true end
for _, delivery in ipairs(redis.call('ZRANGEBYSCORE', key('outbox'), '-inf', now, 'LIMIT', 0, MOST_LOOKS)) do
  local is_read, found = pcall(read, key('delivery', delivery)) -- others may write there
  if not (is_read and found and found.job and found.user and found.event and found.created
      and tonumber(found.tries)) then
    redis.call('ZREM', key('outbox'), delivery)
  elseif not passed[string.match(found.user, '^[^@]*')] then
    if found.event == 'completed' then
      redis.call('ZADD', key('outbox'), now + ARGV[1], delivery)
    else
      redis.call('ZREM', key('outbox'), delivery)
      redis.call('HSET', key('delivery', delivery), 'sent', found.created)
    end
    return {delivery, found.job, found.user, found.event, found.created, tonumber(found.tries),
      redis.call('HGET', key('job', found.job), 'traceparent')}
  end
end
return nil
