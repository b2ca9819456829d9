#!lua flags=allow-oom
-- Start one unit of a slice. Units are started in order. All but the first of a request give way to a higher
-- priority that waits.
-- KEYS[1] prefix; keys: lease job attempts priority_served waiting_lanes lane_workers parked paused events
-- ARGV: fence, unit
-- Returns 'ok' | 'called' (started; a higher priority waits in another lane of the worker) | 'lost' |
--         'cancel' | 'yield' | 'give-way' (not started: a higher priority waits in this lane)
check_numbers(2)
local fence, unit = ARGV[1], tonumber(ARGV[2])
local lease, job, directive = look_up_directive(fence)
if directive ~= 'ok' then return directive end
if not without(lease.open, unit) then return 'lost' end
if is_begun(lease, unit) then return 'ok' end
local worker = string.match(lease.holder, '^(.*)/')
local is_first = lease.at == '' and lease.follows ~= 1
local higher = not is_first and lease.firm ~= 1 and where_higher_waits(job, worker)
if higher == 'here' then return 'give-way' end
begin_unit(fence, lease, job, unit)
return higher and 'called' or 'ok'
