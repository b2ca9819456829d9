-- Part of every script: what has happened so far, counted for metrics.
-- A count is named by words, the first of which says what it counts; `producer/winepress/metrics` has the list.

local MOST_COUNTS = 4096 -- in one hash; whatever would be one more is counted as 'overflow'
-- Upper bounds of the buckets in which seconds are counted: of drawing a picture, and of a job.
local PICTURE_S = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500}
local JOB_S = {1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400, 43200, 86400}

-- Nothing that is wrong with a count, or with the right to write it, may stop the work that is counted.
local function count(counts, name, amount)
  amount = amount or 1
  if amount == 0 then return end
  local total = redis.pcall('HINCRBYFLOAT', key(counts), name, amount)
  if tonumber(total) ~= amount or redis.call('HLEN', key(counts)) <= MOST_COUNTS then return end
  redis.call('HDEL', key(counts), name)
  redis.call('HINCRBYFLOAT', key(counts), 'overflow', 1)
end

-- Count an amount of seconds in its bucket, and in the sum of all.
local function count_seconds(counts, name, bounds, seconds)
  local bucket = 'inf'
  for _, bound in ipairs(bounds) do
    if seconds <= bound then
      bucket = bound
      break
    end
  end
  count(counts, name .. ' ' .. bucket)
  count(counts, name .. ' sum', seconds)
end

-- One word for a count out of a text from an untrusted writer.
local function word(text)
  return type(text) == 'string' and #text <= 64 and string.match(text, '^[%w._,:=-]+$') or 'other'
end
