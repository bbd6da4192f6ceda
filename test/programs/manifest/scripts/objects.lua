-- SPDX-License-Identifier: MIT
--
-- Classes by metatables, operators, closures, a scheduler of coroutines, errors, files and commands.

local Vector = {}
Vector.__index = Vector
local function vector(x, y) return setmetatable({ x = x, y = y }, Vector) end
function Vector.__add(a, b) return vector(a.x + b.x, a.y + b.y) end
function Vector.__mul(a, b)
  if type(a) == 'number' then return vector(a * b.x, a * b.y) end
  return a.x * b.x + a.y * b.y
end
function Vector.__eq(a, b) return a.x == b.x and a.y == b.y end
function Vector.__lt(a, b) return a:length() < b:length() end
function Vector.__tostring(v) return ('(%g, %g)'):format(v.x, v.y) end
function Vector.__call(v, scale) return tostring(scale * v) end
function Vector:length() return math.sqrt(self.x ^ 2 + self.y ^ 2) end

local a, b = vector(3, 4), vector(1, 2)
print(tostring(a + b), a * b, tostring(2 * a), a == vector(3, 4), b < a, a:length(), a(10))

local Stack = {}
Stack.__index = Stack
function Stack.new() return setmetatable({ n = 0 }, Stack) end
function Stack:push(...)
  for i = 1, select('#', ...) do
    self.n = self.n + 1
    self[self.n] = (select(i, ...))
  end
  return self
end
function Stack:pop()
  if self.n == 0 then error({ code = 'empty' }) end
  local top = self[self.n]
  self[self.n], self.n = nil, self.n - 1
  return top
end

local stack = Stack.new():push(1, nil, 3)
print(stack:pop(), stack:pop(), stack:pop())
local ok, problem = pcall(stack.pop, stack)
print(ok, type(problem), problem.code)
print(select(2, pcall(error, 'plain', 0)), (select(2, pcall(function() local x = nil; return x.y end))):gsub('^.-:%d+: ', ''))

local tasks, log = {}, {}
local function spawn(name, count)
  tasks[#tasks + 1] = coroutine.create(function()
    for i = 1, count do
      log[#log + 1] = name .. i
      coroutine.yield()
    end
  end)
end
spawn('x', 3)
spawn('y', 2)
spawn('z', 4)
while #tasks > 0 do
  for i = #tasks, 1, -1 do
    coroutine.resume(tasks[i])
    if coroutine.status(tasks[i]) == 'dead' then table.remove(tasks, i) end
  end
end
print(table.concat(log, ' '))

local defaults = setmetatable({}, { __index = function(t, k) local v = #k * 10; rawset(t, k, v); return v end })
print(defaults.four, defaults.fourteen, rawget(defaults, 'four'), rawget(defaults, 'none'))
local weak = setmetatable({}, { __mode = 'k' })
for i = 1, 100 do weak[{}] = i end
collectgarbage()
print('weak entries left:', next(weak) == nil)

local file = assert(io.open('lines', 'w'))
for i = 1, 100 do file:write(i, ' ', i * i, '\n') end
file:close()
local total = 0
for line in io.lines('lines') do total = total + tonumber(line:match('%d+ (%d+)')) end
print('total', total)
file = io.open('lines', 'r+')
print(file:seek('end'), file:seek('set', 2), file:read('*l'), file:read('*n'), file:read(3))
file:close()
print(io.open('/no/such/file'))
local pipe = io.popen('sort -rn lines | head -n 2 | cut -d" " -f2')
print(pipe:read('*a'):gsub('\n', ' '))
pipe:close()
print('status', os.execute('exit 3'))
print(os.date('!%Y-%m-%d %H:%M:%S', 86400), os.getenv('TZ'), os.remove('lines'), os.rename('lines', 'x'))
print(string.rep('ab', 3, '-'), ('%q'):format('a "quoted"\n'), ('x'):byte(), #('\0z'))
print(table.unpack and 'table.unpack' or 'unpack', (loadstring or load)('return 6 * 7')())
os.exit(9)
