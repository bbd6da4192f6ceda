# SPDX-License-Identifier: MIT
#
# Numeric work to keep an interpreter busy: a fractal, primes, a matrix, big integers, decimals, sorting.

import array
import math
import random
from decimal import Decimal, getcontext
from fractions import Fraction


def mandelbrot(width, height, limit):
    rows = []
    for y in range(height):
        row = ""
        for x in range(width):
            c = complex(-2.2 + 3.2 * x / width, -1.2 + 2.4 * y / height)
            z, n = 0j, 0
            while abs(z) <= 2 and n < limit:
                z = z * z + c
                n += 1
            row += " .:-=+*#%@"[n * 9 // limit]
        rows.append(row)
    return rows


print("\n".join(mandelbrot(64, 22, 40)))


def sieve(n):
    flags = bytearray([1]) * (n + 1)
    flags[0:2] = b"\0\0"
    for i in range(2, math.isqrt(n) + 1):
        if flags[i]:
            flags[i * i::i] = bytes(len(range(i * i, n + 1, i)))
    return [i for i, flag in enumerate(flags) if flag]


primes = sieve(100_000)
print(len(primes), primes[-1], sum(primes))


def multiply(a, b):
    columns = list(zip(*b))
    return [[sum(x * y for x, y in zip(row, column)) for column in columns] for row in a]


matrix = [[(i * j) % 7 + 1 for j in range(40)] for i in range(40)]
product = multiply(matrix, matrix)
print(sum(map(sum, product)), product[3][5])

getcontext().prec = 60
print(Decimal(2).sqrt(), sum(Decimal(1) / math.factorial(n) for n in range(50)))
print(sum(Fraction(1, n) for n in range(1, 40)))
print(len(str(7 ** 5000)), pow(3, 10**18, 10**9 + 7), math.gcd(2**200 - 1, 2**120 - 1), math.comb(100, 50))

random.seed(42)
values = [random.random() for _ in range(20_000)]
print(f"{sum(values):.9f} {sorted(values)[10_000]:.9f} {random.choice(range(10**9))} {random.gauss(0, 1):.9f}")
numbers = array.array("d", values)
print(f"{math.fsum(numbers):.9f} {math.dist(numbers[:3], numbers[3:6]):.9f}")
print(*(f"{f(0.7):.12f}" for f in (math.exp, math.log, math.sin, math.atan, math.tanh, math.gamma, math.erf)))
steps = max(range(1, 3000), key=lambda n: next(i for i in range(1000) if (n := n // 2 if n % 2 == 0 else 3 * n + 1) == 1))
print("longest Collatz run below 3000:", steps)
