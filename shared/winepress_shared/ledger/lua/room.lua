#!lua flags=no-writes
-- The numbers of units that have not ended, and their limits.
-- KEYS[1] prefix; keys: open open_by_user limits
-- ARGV: user
-- Returns {units of the farm, most units of the farm, units of the user, most units of one user}
return {tonumber(redis.call('GET', key('open'))) or 0, limit_of('queue_limit'),
  tonumber(redis.call('HGET', key('open_by_user'), ARGV[1])) or 0, limit_of('user_queue_limit')}
