# SPDX-License-Identifier: MIT
#
# Shortest paths, spanning trees, components, dynamic programming and text distances on generated data.

import bisect
import collections
import functools
import heapq
import itertools


def edges(n, factor):
    state = 7
    for a in range(n):
        for _ in range(factor):
            state = (state * 1103515245 + 12345) % 2**31
            yield a, (state >> 8) % n, (state >> 16) % 90 + 10


graph = collections.defaultdict(dict)
for a, b, w in edges(1500, 3):
    if a != b:
        graph[a][b] = graph[b][a] = min(w, graph[a].get(b, w))


def dijkstra(start):
    best, heap = {start: 0}, [(0, start)]
    while heap:
        distance, node = heapq.heappop(heap)
        if distance > best[node]:
            continue
        for other, weight in graph[node].items():
            if distance + weight < best.get(other, 10**9):
                best[other] = distance + weight
                heapq.heappush(heap, (distance + weight, other))
    return best


reached = dijkstra(0)
print(len(reached), max(reached.values()), sum(reached.values()))

parent = {}


def root(x):
    while parent.setdefault(x, x) != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


weight = 0
for w, a, b in sorted((w, a, b) for a in graph for b, w in graph[a].items()):
    if root(a) != root(b):
        parent[root(a)] = root(b)
        weight += w
print("spanning tree", weight, len({root(x) for x in graph}), "parts")


@functools.lru_cache(maxsize=None)
def distance(a, b):
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return distance(a[1:], b[1:])
    return 1 + min(distance(a[1:], b), distance(a, b[1:]), distance(a[1:], b[1:]))


print(distance("kitten on the mat", "sitting in the flat"), distance.cache_info().misses)


def increasing(values):
    tails = []
    for value in values:
        at = bisect.bisect_left(tails, value)
        tails[at:at + 1] = [value]
    return len(tails)


print(increasing([i * 7919 % 5003 for i in range(5000)]))


def knapsack(items, room):
    best = [0] * (room + 1)
    for size, value in items:
        for free in range(room, size - 1, -1):
            best[free] = max(best[free], best[free - size] + value)
    return best[room]


print(knapsack([(i * 13 % 29 + 3, i * 17 % 41 + 5) for i in range(60)], 400))
print(collections.Counter(sum(p) % 7 for p in itertools.permutations(range(7), 4)).most_common(3))
grid = {(x, y): (x * 3 + y * 7) % 11 != 0 for x in range(60) for y in range(60)}
queue, seen = collections.deque([((1, 1), 0)]), {(1, 1)}
while queue:
    (x, y), steps = queue.popleft()
    for step in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
        if grid.get(step) and step not in seen:
            seen.add(step)
            queue.append((step, steps + 1))
print("walked", len(seen), "fields, the farthest", steps, "away")
