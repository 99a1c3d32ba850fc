-- One load for wrk. Behind the URL and -- stand the method, the length of the body and, where every
-- request needs a credential of its own, the file that has them: one behind the other, the length of
-- each, and how many are for each thread. They take the place of the word POOL in the headers.
-- At the end it writes one line of numbers.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(arguments)
  local method, body, pool, length, share = unpack(arguments, 1)
  wrk.method = method
  if tonumber(body) > 0 then
    wrk.body = string.rep("x", tonumber(body))
  end
  if not pool then
    return -- Without a function `request` wrk sends the same bytes every time.
  end
  local head, tail = wrk.format():match("^(.-)POOL(.*)$")
  local credentials = assert(io.open(pool, "rb"))
  credentials:setvbuf("full", 65536)
  credentials:seek("set", number * share * length)
  length = tonumber(length)
  local left = tonumber(share)
  request = function()
    left = left - 1
    return head .. (left < 0 and "" or credentials:read(length)) .. tail
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    "numbers: %d %d %d %d %d %d",
    summary.requests,
    summary.duration,
    errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50),
    latency:percentile(99)
  ))
end
