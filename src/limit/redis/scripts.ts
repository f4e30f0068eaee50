/**
 * What runs inside of Redis: taking a call's limits, giving back, abandoning what nobody heard of, rebuilding. Each script
 * sees everything before it changes anything. Time is the server's; amounts are whole decimals as text, since Lua's numbers
 * are doubles. A counter is a hash: `s` the latest time charged at, `t` the total, `o` and `n` the oldest and the newest
 * bucket, and each bucket by its index as `<freed at>:<amount>`.
 */
import { createHash } from "node:crypto";

export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** How long a reservation's own record stands, for whoever never heard whether it was taken. */
export const RECORD_MS = 60_000;
/** How much longer than it counts a count is kept. */
const SPARE_MS = 60_000;

const PRELUDE = `
local SPARE = ${SPARE_MS}
local function fmt(n) return string.format('%.0f', n) end
local function split(a)
  local out = {}
  for i = #a, 1, -14 do out[#out + 1] = tonumber(string.sub(a, math.max(1, i - 13), i)) end
  return out
end
local function spell(c)
  local n = #c
  while n > 1 and c[n] == 0 do n = n - 1 end
  local out = { fmt(c[n]) }
  for i = n - 1, 1, -1 do out[#out + 1] = string.format('%014.0f', c[i]) end
  return table.concat(out)
end
local function add(a, b)
  if #a < 15 and #b < 15 then return fmt(tonumber(a) + tonumber(b)) end
  local x, y, carry = split(a), split(b), 0
  for i = 1, math.max(#x, #y) do
    local sum = (x[i] or 0) + (y[i] or 0) + carry
    carry = 0
    if sum >= 1e14 then sum = sum - 1e14; carry = 1 end
    x[i] = sum
  end
  if carry > 0 then x[#x + 1] = carry end
  return spell(x)
end
local function subtract(a, b)
  if #a < 15 and #b < 15 then return fmt(tonumber(a) - tonumber(b)) end
  local x, y, borrow = split(a), split(b), 0
  for i = 1, #x do
    local rest = x[i] - (y[i] or 0) - borrow
    borrow = 0
    if rest < 0 then rest = rest + 1e14; borrow = 1 end
    x[i] = rest
  end
  return spell(x)
end
local function exceeds(a, b)
  if #a ~= #b then return #a > #b end
  local x, y = split(a), split(b)
  for i = #x, 1, -1 do if x[i] ~= y[i] then return x[i] > y[i] end end
  return false
end
local function tell(given)
  if given ~= '' then return tonumber(given) end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
local function parse(index, text)
  local free, amount = string.match(text, '^(%d+):(%d+)$')
  return { index = index, free = tonumber(free), amount = amount }
end
local function range(c)
  local names, out = {}, {}
  for i = c.o, c.n do names[#names + 1] = fmt(i) end
  local found = redis.call('HMGET', c.key, unpack(names))
  for i, text in ipairs(found) do
    if text then out[#out + 1] = parse(c.o + i - 1, text) end
  end
  return out
end
local function read(key, now)
  local h = redis.call('HMGET', key, 's', 't', 'o', 'n')
  local c = { key = key, at = math.max(now, tonumber(h[1] or 0)), total = h[2] or '0', gone = {} }
  c.o, c.n = h[3] and tonumber(h[3]), h[4] and tonumber(h[4])
  if not c.o then return c end
  local oldest = redis.call('HGET', key, fmt(c.o))
  if oldest and parse(c.o, oldest).free > c.at then return c end
  local list = range(c)
  c.o = nil
  for _, bucket in ipairs(list) do
    if bucket.free > c.at then
      c.o = c.o or bucket.index
    else
      c.total = subtract(c.total, bucket.amount)
      c.gone[#c.gone + 1] = fmt(bucket.index)
    end
  end
  if not c.o then c.n = nil end
  return c
end
local function lengthen(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, fmt(ms)) end
end
local function giveBack(key, index, amount)
  local text = redis.call('HGET', key, index)
  if not text then return nil end
  local bucket = parse(0, text)
  if exceeds(amount, bucket.amount) then return nil end
  local total = subtract(redis.call('HGET', key, 't'), amount)
  redis.call('HSET', key, 't', total, index, fmt(bucket.free) .. ':' .. subtract(bucket.amount, amount))
  return total
end
`;

function createScript(body: string): Script {
  const text = PRELUDE + body;
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

/** Arguments of `TAKE` before the charges, and of each charge. */
export const TAKE_FACTS = 6;
export const CHARGE_FACTS = 10;
export const ANSWER = { done: 0, full: 1, strange: 2, moved: 3, abandoned: 4 } as const;

/**
 * KEYS: the sentinel, the reservation, counts and families. ARGV: what the sentinel must hold, `take` or `peek`, a time
 * (empty: the server's), how long the record stands, both bounds; then for each charge: count, window (0: a calendar's),
 * start and end of the calendar's window, amount, maximum, family, member, sessions, session.
 * Answers `done` with time, and for each count: place of its key, index, charged at, freed at, expires; `full` with time,
 * the first charge without room, the longest wait; `strange` with what the sentinel holds; `moved` with a charge and the
 * time that its calendar has to be asked for; `abandoned`.
 */
export const TAKE: Script = createScript(`
local held = redis.call('GET', KEYS[1])
if held ~= ARGV[1] then return { ${ANSWER.strange}, held } end
local taking = ARGV[2] == 'take'
if taking and redis.call('EXISTS', KEYS[2]) == 1 then return { ${ANSWER.abandoned} } end
local now = tell(ARGV[3])
local first, longest = -1, 0
local function full(i, wait)
  if first < 0 then first = i end
  if wait > longest then longest = wait end
end
local function room(i, place, member, bound, at)
  if place == 0 then return end
  local set = KEYS[place]
  local score = redis.call('ZSCORE', set, member)
  if score and tonumber(score) > now then return end
  if redis.call('ZCARD', set) < bound then return end
  local after = '(' .. fmt(now)
  if redis.call('ZCOUNT', set, after, '+inf') < bound then return end
  local next = redis.call('ZRANGEBYSCORE', set, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  full(i, math.max(1, tonumber(next[2]) - at))
end
local function fit(c, amount, max)
  local rest, at = c.total, 0
  for _, bucket in ipairs(range(c)) do
    if not exceeds(add(rest, amount), max) then break end
    rest = subtract(rest, bucket.amount)
    at = bucket.free
  end
  return at
end
local values, sessions = tonumber(ARGV[5]), tonumber(ARGV[6])
local counts, charges = {}, {}
for a = ${TAKE_FACTS + 1}, #ARGV, ${CHARGE_FACTS} do
  local i = #charges
  local q = {
    place = tonumber(ARGV[a]), window = tonumber(ARGV[a + 1]), start = tonumber(ARGV[a + 2]), stop = tonumber(ARGV[a + 3]),
    amount = ARGV[a + 4], max = ARGV[a + 5], family = tonumber(ARGV[a + 6]), member = ARGV[a + 7],
    sessions = tonumber(ARGV[a + 8]), session = ARGV[a + 9]
  }
  charges[i + 1] = q
  local c = counts[q.place]
  if not c then
    c = read(KEYS[q.place], now)
    counts[q.place] = c
  end
  if q.window == 0 and not c.n and (c.at < q.start or c.at >= q.stop) then return { ${ANSWER.moved}, i, c.at } end
  if exceeds(add(c.total, q.amount), q.max) then full(i, fit(c, q.amount, q.max) - c.at) end
  room(i, q.family, q.member, values, c.at)
  room(i, q.sessions, q.session, sessions, c.at)
end
if first >= 0 then return { ${ANSWER.full}, now, first, longest } end
if not taking then return { ${ANSWER.done}, now } end
local function keep(place, member, expires, at, bound)
  if place == 0 then return end
  local set = KEYS[place]
  if redis.call('ZCARD', set) >= bound then redis.call('ZREMRANGEBYSCORE', set, '-inf', fmt(now)) end
  local score = redis.call('ZSCORE', set, member)
  if score and tonumber(score) >= expires then return end
  redis.call('ZADD', set, fmt(expires), member)
  lengthen(set, expires - at + SPARE)
end
local answer, record = { ${ANSWER.done}, now }, {}
for _, q in ipairs(charges) do
  local c = counts[q.place]
  if not c.charged then
    c.charged = true
    local index, free, expires
    if q.window == 0 then
      index, free = c.n or q.start, q.stop
    else
      index, free = math.floor(c.at * 64 / q.window), c.at + q.window
      expires = math.ceil((index + 1) * q.window / 64) + q.window
    end
    local amount = q.amount
    if c.n == index then
      local open = parse(index, redis.call('HGET', c.key, fmt(index)))
      amount = add(open.amount, amount)
      if q.window == 0 then free = open.free end
    end
    expires = expires or free
    if #c.gone > 0 then redis.call('HDEL', c.key, unpack(c.gone)) end
    redis.call('HSET', c.key, 's', fmt(c.at), 't', add(c.total, q.amount), 'o', fmt(c.o or index), 'n', fmt(index),
      fmt(index), fmt(free) .. ':' .. amount)
    redis.call('PEXPIRE', c.key, fmt(expires - c.at + SPARE))
    keep(q.family, q.member, expires, c.at, values)
    keep(q.sessions, q.session, expires, c.at, sessions)
    record[#record + 1] = q.place .. ':' .. fmt(index) .. ':' .. q.amount
    for _, fact in ipairs({ q.place, index, c.at, free, expires }) do answer[#answer + 1] = fact end
  end
end
redis.call('SET', KEYS[2], table.concat(record, ' '), 'PX', ARGV[4])
return answer
`);

/**
 * Gives back by the record of a reservation, for whoever does not know whether it was taken, and keeps a `TAKE` that comes
 * later from taking. KEYS as those of the `TAKE`; ARGV: what the sentinel must hold, how long the record stands.
 */
export const ABANDON: Script = createScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local record = redis.call('GET', KEYS[2])
redis.call('SET', KEYS[2], '-', 'PX', ARGV[2])
local given = 0
for place, index, amount in string.gmatch(record or '', '(%d+):(%d+):(%d+)') do
  if giveBack(KEYS[tonumber(place)], index, amount) then given = 1 end
end
return given
`);

/**
 * Gives back what an outcome says, once. KEYS: the sentinel, the mark of the reservation, counts and families. ARGV: what
 * the sentinel must hold, how long the mark stands, then for each part: count, index, amount, family, member.
 */
export const REFUND: Script = createScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if not redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[2]) then return 0 end
for a = 3, #ARGV, 5 do
  local total = giveBack(KEYS[tonumber(ARGV[a])], ARGV[a + 1], ARGV[a + 2])
  if total == '0' and ARGV[a + 3] ~= '0' then redis.call('ZREM', KEYS[tonumber(ARGV[a + 3])], ARGV[a + 4]) end
end
return 1
`);

/**
 * Adds to one count what the journal holds of it. KEYS: the count, its family, its sessions (or nothing). ARGV: a time, 1
 * for a calendar's, when it expires, member, session, the latest time charged at, then index, freed at and amount of each bucket.
 */
export const RESTORE: Script = createScript(`
local now = tell(ARGV[1])
local key, expires = KEYS[1], tonumber(ARGV[3])
local h = redis.call('HMGET', key, 's', 't', 'o', 'n')
local seen, total = math.max(tonumber(h[1] or 0), tonumber(ARGV[6])), h[2] or '0'
local oldest, newest = h[3] and tonumber(h[3]), h[4] and tonumber(h[4])
for a = 7, #ARGV, 3 do
  local index, free, amount = tonumber(ARGV[a]), tonumber(ARGV[a + 1]), ARGV[a + 2]
  total = add(total, amount)
  -- A calendar has one bucket that counts.
  if ARGV[2] == '1' and newest then index = newest end
  local text = redis.call('HGET', key, fmt(index))
  if text then
    local bucket = parse(index, text)
    free, amount = math.max(free, bucket.free), add(amount, bucket.amount)
  end
  redis.call('HSET', key, fmt(index), fmt(free) .. ':' .. amount)
  oldest, newest = math.min(oldest or index, index), math.max(newest or index, index)
end
redis.call('HSET', key, 's', fmt(seen), 't', total, 'o', fmt(oldest), 'n', fmt(newest))
local ms = expires - now + SPARE
lengthen(key, ms)
for i = 2, #KEYS do
  local member = ARGV[i + 2]
  if member ~= '' then
    local score = redis.call('ZSCORE', KEYS[i], member)
    if not score or tonumber(score) < expires then redis.call('ZADD', KEYS[i], fmt(expires), member) end
    lengthen(KEYS[i], ms)
  end
end
return 1
`);

/** Sets the sentinel where it still holds what was seen. KEYS: the sentinel; ARGV: seen (empty: nothing), new. */
export const OPEN_ORIGIN: Script = createScript(`
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`);
