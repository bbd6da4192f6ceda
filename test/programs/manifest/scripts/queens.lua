-- SPDX-License-Identifier: MIT
--
-- Queens on a board, permutations by coroutines, a heap sort, string buffers: plain computing, for Lua and LuaJIT.

local function queens(n)
  local columns, up, down, row = {}, {}, {}, {}
  local solutions, first = 0, nil
  local function place(i)
    if i > n then
      solutions = solutions + 1
      first = first or table.concat(row, ' ')
      return
    end
    for c = 1, n do
      if not columns[c] and not up[i + c] and not down[i - c + n] then
        columns[c], up[i + c], down[i - c + n], row[i] = true, true, true, c
        place(i + 1)
        columns[c], up[i + c], down[i - c + n] = nil, nil, nil
      end
    end
  end
  place(1)
  return solutions, first
end

local size = tonumber(arg and arg[1]) or 8
for n = 4, size do
  print(n, queens(n))
end

local function permutations(list)
  local function generate(n)
    if n == 1 then coroutine.yield(table.concat(list)) end
    for i = 1, n do
      list[n], list[i] = list[i], list[n]
      if n > 1 then generate(n - 1) end
      list[n], list[i] = list[i], list[n]
    end
  end
  return coroutine.wrap(function() generate(#list) end)
end

local all = {}
for text in permutations({ 'a', 'b', 'c', 'd', 'e' }) do all[#all + 1] = text end
table.sort(all)
print(#all, all[1], all[60], all[#all])

local function heapsort(t)
  local n = #t
  local function sift(root, last)
    while root * 2 <= last do
      local child = root * 2
      if child < last and t[child] < t[child + 1] then child = child + 1 end
      if t[root] >= t[child] then return end
      t[root], t[child] = t[child], t[root]
      root = child
    end
  end
  for root = math.floor(n / 2), 1, -1 do sift(root, n) end
  for last = n, 2, -1 do
    t[1], t[last] = t[last], t[1]
    sift(1, last - 1)
  end
end

local numbers, seed = {}, 42
for i = 1, 20000 do
  seed = (seed * 16807) % 2147483647
  numbers[i] = seed
end
heapsort(numbers)
print(numbers[1], numbers[10000], numbers[20000])

local buffer = {}
for i = 1, 3000 do buffer[#buffer + 1] = ('%d:%x'):format(i, i * i) end
local text = table.concat(buffer, ',')
local count = 0
for digits in text:gmatch('%d+:(%x+)') do count = count + tonumber(digits, 16) % 97 end
print(#text, count, (text:gsub('1', 'one')):sub(1, 40))

local sum = 0
for i = 1, 2000000 do sum = (sum + i * i) % 1000003 end
print('sum', sum)
