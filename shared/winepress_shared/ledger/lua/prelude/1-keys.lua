-- Part of every script: the names of keys, and functions that read and write them.
-- KEYS[1] is the farm's prefix; every key below starts with it. Time is the server's, in milliseconds.
--
--   job:ID                hash    state kind lane priority user units done failed cursor order
--                                 created started finished expires paused chained reason
--                                 starts (absent: at once) opens closes (minutes of the day, UTC;
--                                 absent: all day) max_failed (absent: any number) last_lane (absent:
--                                 the job's; where the last unit of a chain waits) front (absent;
--                                 what stands in for the order among the jobs of its user)
--                                 ready (units counted in `waits`; 0: claims skip the job)
--                                 left (units counted in `open`) cost (megapixel-steps per unit)
--                                 together (units rendered in one call; absent: one)
--                                 alike (equal for jobs whose units can share a call; absent: they
--                                 share none with other jobs)
--                                 pending (1: its submission is not complete, so no claim finds it; absent:
--                                 it is accepted) idem digest (of a pending job with an idempotency key)
--                                 shared (1: another submission under its key was told its id)
--                                 hooks (events that its webhook is told of, with dots between them; absent:
--                                 it has none)
--                                 traceparent (of the span that submitted it, by W3C; absent: none)
--                                 unread (1: some process cannot read it; see `unread`)
--                                 pinned (1: its record is not dropped; absent: it is in time)
--   jobs                  zset    ID by order of submission; jobs:STATE the same for one state
--   ready:LANE:PRIORITY   zset    user by the turn of their last slice (lowest is next)
--   ready:LANE:PRIORITY:USER  zset  ID by front or order (lowest is next)
--   priority_served:LANE  hash    PRIORITY → when this priority last got a slice, or began to wait
--   waiting_lanes:PRIORITY  set   lanes in which this priority waits
--   lane_served           hash    LANE → when any priority of it last got a slice
--   waits:LANE:PRIORITY   hash    USER → units waiting
--   aside:USER            hash    LANE:PRIORITY → turn of a user who has work there but cannot be served
--                                 now: paused, or at the limit of slices
--   lanes                 hash    LANE → units waiting in it, less those of users set aside
--   slices                hash    USER → slices being rendered
--   paused                hash    'farm', 'lane:LANE', 'user:USER' → since when
--   open                  number  units that have not ended
--   open_by_user          hash    USER → units that have not ended
--   unread:ID             zset    processes that cannot read the job, which is of a later version, by when they may
--                                 try again (time to live)
--   retry:ID              zset    UNIT by the time it may be tried again; seven digits, so that units
--                                 due at the same time come in their order. A chained job has at most
--                                 one here, and everything after it is at or after the cursor
--   attempts:ID           hash    unit → attempts started and not committed. 0: none counts, but its
--                                 worker was lost over it and others, so it may be to blame
--   failers:ID            hash    unit → lines: a worker that failed at it, and when last (ms)
--   done:ID               bitmap  units whose object exists
--   units:ID              hash    unit → JSON of its output, or of its error
--   job_leases:ID         set     fences of the leases of a job
--   lease:FENCE           hash    job lane holder at step steps step_at finish (1: the job's
--                                 result is to be written) void (1: taken from its holder)
--                                 user (whose slice it counts as; absent: all drawn)
--                                 open (ranges of units that have not ended; started in order)
--                                 firm (1: it gives way to no higher priority)
--                                 again (1: its only unit was started before)
--                                 follows (1: its units are drawn after those of another slice that
--                                 the same request got)
--                                 nonce (of the request that got it)
--   leases                zset    FENCE by deadline
--   held:HOLDER           set     fences of a process's leases; HOLDER is WORKER/PID of the renderer
--                                 (time to live, like the next two)
--   heard:HOLDER          string  life of the process and number of its last message that `is_late` was asked of
--   processes:WORKER      set     the processes of a worker that may hold leases
--   lane_workers:LANE     set     workers that serve a lane
--   shunned_lane:WORKER   string  a lane where only units wait that it failed at (time to live)
--   drew:WORKER           hash    LANE → when it last drew a unit (time to live, like the next two)
--   disproved:WORKER      hash    LANE → units that it failed at since then, and that another worker drew
--   blocked:WORKER        zset    LANE of which it gets no slices while another worker serves it, by when that ends
--   pace                  hash    LANE DEVICE → megapixel-steps per second, as last measured
--   workers               zset    WORKER by last heartbeat
--   lost                  zset    WORKER by last heartbeat, of those that were forgotten without having left
--   worker:WORKER         string  the worker's description, JSON
--   life:WORKER           string  names the process that has this name now, and when a beat of it last renewed what
--                                 has a time to live (time to live)
--   renderer:WORKER       string  the state of its rendering process, JSON
--   warm_workers:MODEL    set     workers that hold a model (with its precision)
--   warm_models:WORKER    set     models that a worker holds
--   loading_workers:MODEL zset    workers that are loading a model, by end of their mark (time to live)
--   loading_model:WORKER  string  the model that a worker is loading (time to live)
--   shared_view           string  time of the last look at all lanes, for how long it may be shared (ms), and its
--                                 result (JSON), see `lanes` (time to live)
--   due                   zset    ID by the time its earliest retry is due
--   expiries              zset    ID by deadline
--   dead                  zset    ID of a job with units that were given up, by when that happened last
--   old                   zset    ID by the time its record is dropped
--   pending               zset    ID of a pending job by the time a worker looks after it, see `overdue`
--   withdrawn             zset    ID of an undone submission by the time a worker looks whether the store
--                                 holds its job.json
--   synced                string  written before each question what the server's disk has; see `confirmation`
--   written               stream  job and text (job.json) of the newest jobs, where the disk is waited for; see
--                                 `written`
--   counted_pictures      stream  job, unit and sha256 of the newest COUNTED pictures that were counted
--   parked:LANE           string  why no slices of this lane are given out (time to live)
--   idem:USER:KEY         string  ID and digest of the job submitted under this key
--   events:ID             stream  the newest EVENTS events of the job; created at its first
--                                 change, because an empty stream needs more memory than the row
--   watched:ID            string  there while somebody watches the steps of the job (time to live)
--   wake:NAME             stream  wake-up calls to a client that reads the events of many jobs (time to
--                                 live)
--   preview:ID:UNIT       string  step, steps and a JPEG in base64, of an unfinished unit (time to live)
--   repeat:USER:DIGEST:N list  notes of requests with this content that a client sent for the
--                                 Nth time, see `repeats` (time to live)
--   repeat:USER:DIGEST    string  the note of the requests with one idempotency key (time to
--                                 live)
--   outbox                zset    DELIVERY by the time it is due; see `tell_webhook`
--   deliveries            zset    DELIVERY by creation, the newest DELIVERIES
--   delivery:DELIVERY     hash    job user event created tries state ('waiting' 'delivered' 'failed'
--                                 'superseded') sent (when the message of its progress was made that
--                                 was sent last; absent: none was) (time to live)
--   tries:DELIVERY        list    JSON of its newest TRIES tries (time to live)
--   deliverers            zset    PROCESS that delivers webhooks, by last look
--   limits                hash    the LIMITS that the operator has set, see `limits`
--   key_rate:KEY          number  when the bucket of requests of a key of the gateway is full again, in ms
--                                 (time to live)
--   key_jobs:KEY          hash    ID → units reserved, and when, of jobs submitted with the key
--                                 (time to live, like the next)
--   key_units:KEY         number  units of these jobs, as last counted and reserved since
--   key_counted:KEY       string  there while they were counted lately (time to live)
--   key_steps:KEY:DAY     number  megapixel-steps of one day of UTC, days since 1970 (time to live)
--   job_counts            hash    COUNT → number: what has happened to jobs so far, see `count`
--   work_counts           hash    the same of what workers do
--   delivery_counts       hash    the same of webhooks
--   counted:WORKER        hash    COUNT → number that this process of the worker has told, and 'process', its
--                                 name (time to live)
--   fence, turn, swept    numbers
local P = KEYS[1]
local EVENTS = 256
local COUNTED = 20000
local EVENTS_KEPT_MS = 3600000 -- after the end of the job
local LOOK_MS = 300000 -- a worker looks after a pending job and an undone submission after this
local FORGET_MS = 86400000 -- the records of a process that never returned are dropped after this
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Default limits: units that have not ended, of the farm and of one user; slices of one user being rendered
-- (0: any number); days that the record of an ended job is kept, and its objects (0: for ever).
local LIMITS = {queue_limit = 2000000, user_queue_limit = 2000000, user_running_limit = 0, keep_days = 7,
  keep_objects_days = 0}

local function key(...) return P .. table.concat({...}, ':') end

-- The answers of a command (with what stands before them) about many keys or members, of which it gets some hundred
-- at a time: Lua passes a few thousand values to a function at most.
local function ask_about(names, ...)
  local MOST, answers = 500, {}
  for first = 1, #names, MOST do
    local asked = {...}
    for i = first, math.min(first + MOST - 1, #names) do asked[#asked + 1] = names[i] end
    for _, answer in ipairs(redis.call(unpack(asked))) do answers[#answers + 1] = answer end
  end
  return answers
end

-- The texts of NAME:ID for each of these ids; false for those that are not there.
local function texts_of(name, ids)
  local names = {}
  for i, id in ipairs(ids) do names[i] = key(name, id) end
  return ask_about(names, 'MGET')
end

-- Only these fields are numbers; a user may be called "1e5" or "inf".
local NUMBERS = {}
for name in string.gmatch('priority units done failed cursor order created started finished expires ' ..
    'paused chained ready front starts opens closes max_failed left together step steps step_at finish ' ..
    'void firm again follows pending pinned', '%S+') do
  NUMBERS[name] = true
end

-- Raise an error unless the arguments at these places are whole numbers. Call it before the first write, so
-- that an error changes nothing.
local function check_numbers(...)
  for _, place in ipairs({...}) do
    local text = ARGV[place] or ''
    if #text > 16 or not string.match(text, '^%-?%d+$') then error('refused argument ' .. place) end
  end
end

-- A JSON object from an untrusted writer; an empty table if it is not valid.
local function decode(text)
  local is_json, found = pcall(cjson.decode, text or '')
  return is_json and type(found) == 'table' and found or {}
end

-- A number from an untrusted writer; 0 if it is none, or not finite, which JSON lacks.
local function amount(text)
  local number = tonumber(text)
  return number and math.abs(number) < 1e15 and number or 0
end

local function limit_of(name) return tonumber(redis.call('HGET', key('limits'), name)) or LIMITS[name] end

local function read(name)
  local flat, hash = redis.call('HGETALL', name), {}
  for i = 1, #flat, 2 do hash[flat[i]] = NUMBERS[flat[i]] and tonumber(flat[i + 1]) or flat[i + 1] end
  return flat[1] and hash or nil
end

local function read_job(id)
  local job = read(key('job', id))
  if job then job.id = id end
  return job
end
