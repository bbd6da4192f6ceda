-- SPDX-License-Identifier: MIT
--
-- LuaJIT: hot loops that are compiled while they run, foreign calls with callbacks, structures, 64-bit numbers.

local ffi = require('ffi')
local bit = require('bit')

ffi.cdef [[
  typedef struct { double x, y, z, vx, vy, vz, mass; } body;
  int snprintf(char *to, size_t size, const char *format, ...);
  void qsort(void *base, size_t count, size_t size, int (*compare)(const int *, const int *));
  int getppid(void);
  size_t strlen(const char *text);
  int open(const char *path, int flags, ...);
]]

local bodies = ffi.new('body[4]', {
  { 0, 0, 0, 0, 0, 0, 40 },
  { 5, 0, 0, 0, 2.8, 0.1, 0.04 },
  { 0, 9, 1, -2.1, 0, 0, 0.01 },
  { -12, 3, 0, 0.4, -1.7, 0.2, 0.02 },
})

local function advance(dt)
  for i = 0, 3 do
    local a = bodies[i]
    for j = i + 1, 3 do
      local b = bodies[j]
      local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
      local square = dx * dx + dy * dy + dz * dz
      local pull = dt / (square * math.sqrt(square))
      a.vx, a.vy, a.vz = a.vx - dx * b.mass * pull, a.vy - dy * b.mass * pull, a.vz - dz * b.mass * pull
      b.vx, b.vy, b.vz = b.vx + dx * a.mass * pull, b.vy + dy * a.mass * pull, b.vz + dz * a.mass * pull
    end
  end
  for i = 0, 3 do
    local a = bodies[i]
    a.x, a.y, a.z = a.x + dt * a.vx, a.y + dt * a.vy, a.z + dt * a.vz
  end
end

for _ = 1, 100000 do advance(0.001) end
for i = 0, 3 do print(('%.6f %.6f %.6f'):format(bodies[i].x, bodies[i].y, bodies[i].z)) end

local hash = 0
for i = 1, 3000000 do hash = bit.bxor(bit.rol(hash, 5), i * 7) end
print('hash', bit.tohex(hash))

local values = ffi.new('int[10]', { 5, 3, 8, 1, 9, 2, 7, 4, 6, 0 })
local compare = ffi.cast('int (*)(const int *, const int *)', function(a, b) return a[0] - b[0] end)
ffi.C.qsort(values, 10, 4, compare)
compare:free()
local sorted = {}
for i = 0, 9 do sorted[#sorted + 1] = values[i] end
print(table.concat(sorted, ' '))

local buffer = ffi.new('char[?]', 64)
local n = ffi.C.snprintf(buffer, 64, '%s has %d letters, %.2f', 'text', ffi.new('int', 4), 2.5)
print(ffi.string(buffer, n), tonumber(ffi.C.strlen(buffer)))
local big = 0x123456789abcdefLL
print(big * 3, big / 1000, tonumber(ffi.cast('uint32_t', big)), 2ULL ^ 40 == 1ULL * 1099511627776)
print(ffi.C.open('/no/such/file', 0), ffi.errno())

local words, seed = {}, 7
for i = 1, 50000 do
  seed = (seed * 16807) % 2147483647
  local word = 'w' .. seed % 500
  words[word] = (words[word] or 0) + 1
end
local best, most = nil, 0
for word, count in pairs(words) do
  if count > most or (count == most and word < best) then best, most = word, count end
end
print(best, most)
print(jit.status() and 'the compiler is on', jit.arch)
