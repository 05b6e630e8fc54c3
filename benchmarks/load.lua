-- One request of wrk, chosen by environment variables; prints the result as one line of JSON.
--   LOAD_METHOD, LOAD_BODY, LOAD_HEADERS (lines of "name: value"): the request.
--   LOAD_TAKE: a file; each request sends its next line in place of ~ in the body, then stops.
--   LOAD_KEEP: a file; each response adds the code of its Location header.
--   LOAD_ROTATE: each response replaces the value by its refresh_token.
--   LOAD_NUMBER: each request has a number of its own in place of ~.

local take, keep = os.getenv("LOAD_TAKE"), os.getenv("LOAD_KEEP")
local rotate, number = os.getenv("LOAD_ROTATE"), os.getenv("LOAD_NUMBER")
local threads = 0

wrk.method = os.getenv("LOAD_METHOD") or "GET"
wrk.body = os.getenv("LOAD_BODY")
for name, value in string.gmatch(os.getenv("LOAD_HEADERS") or "", "([^:\n]+): ([^\n]*)") do
   wrk.headers[name] = value
end

function setup(thread)
   thread:set("number_of_thread", threads)
   threads = threads + 1
end

function init(args)
   values, next_value, sent = {}, 1, 0
   if take then
      local line_number = 0
      for line in io.lines(take) do
         if line_number % 2 == number_of_thread then table.insert(values, line) end
         line_number = line_number + 1
      end
   end
   if keep then
      kept = io.open(keep, "a")
      kept:setvbuf("line")
   end
end

if take or number then
   function request()
      sent = sent + 1
      local value
      if number then
         value = number .. number_of_thread .. "x" .. sent
      else
         value = values[next_value]
         next_value = next_value + 1
         -- The connections of this thread have sent all there is.
         if value == nil then
            wrk.thread:stop()
            return wrk.format("GET", "/healthz")
         end
      end
      local body = string.gsub(wrk.body, "~", (string.gsub(value, "%%", "%%%%")))
      return wrk.format(nil, nil, nil, body)
   end
end

if keep then
   function response(status, headers, body)
      local location = headers["Location"] or headers["location"] or ""
      local code = string.match(location, "[?&]code=([^&]+)")
      if code then kept:write(code, "\n") end
   end
elseif rotate then
   function response(status, headers, body)
      local token = string.match(body, '"refresh_token": ?"([^"]+)"')
      if token then table.insert(values, token) end
   end
end

function done(summary, latency, requests)
   local failed = summary.errors.status + summary.errors.connect + summary.errors.read
      + summary.errors.write + summary.errors.timeout
   io.write(string.format(
      'LOAD {"answers": %d, "failed": %d, "seconds": %.3f, "p50": %.2f, "p99": %.2f}\n',
      summary.requests, failed, summary.duration / 1e6,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
