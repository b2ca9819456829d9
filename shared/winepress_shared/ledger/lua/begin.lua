#!lua flags=allow-oom
-- Begin the first unit of the slice that a request was just given, as `start` does; sent together with
-- `claim`, because who sends it does not know the fence yet. A unit that failed before is left to `start`:
-- what its worker has in hand must be settled first.
-- KEYS[1] prefix; keys: last_request lease job paused attempts events
-- ARGV: rendering process, nonce of the request
-- Returns 1 when the unit is begun, else 0
local asked = redis.call('GET', key('last_request', ARGV[1])) or ''
local lease, job, order = look_up_lease(string.match(asked, '^' .. ARGV[2] .. ' (%d+)$') or '')
local first = order == 'ok' and first_of(lease.open)
if not first then return 0 end
if not is_begun(lease, first) and attempts(job, first) > 0 then return 0 end
begin_unit(string.match(asked, ' (%d+)$'), lease, job, first)
return 1
