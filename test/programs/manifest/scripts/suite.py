# SPDX-License-Identifier: MIT
#
# A unittest suite over containers of its own: passing, failing, skipped and erring tests, with the runner's summary.

import doctest
import io
import re
import tempfile
import unittest
from pathlib import Path


class Heap:
    """A binary heap.

    >>> h = Heap([3, 1, 2])
    >>> h.pop(), h.pop(), len(h)
    (1, 2, 1)
    """

    def __init__(self, items=()):
        self.items = []
        for item in items:
            self.push(item)

    def __len__(self):
        return len(self.items)

    def push(self, item):
        items, i = self.items, len(self.items)
        items.append(item)
        while i and items[i] < items[(i - 1) // 2]:
            items[i], items[(i - 1) // 2] = items[(i - 1) // 2], items[i]
            i = (i - 1) // 2

    def pop(self):
        items = self.items
        items[0], items[-1] = items[-1], items[0]
        least, i = items.pop(), 0
        while (child := 2 * i + 1) < len(items):
            if child + 1 < len(items) and items[child + 1] < items[child]:
                child += 1
            if items[i] <= items[child]:
                break
            items[i], items[child] = items[child], items[i]
            i = child
        return least


class HeapTest(unittest.TestCase):
    def setUp(self):
        self.heap = Heap([5, 2, 9, 1, 7])

    def test_order(self):
        self.assertEqual([self.heap.pop() for _ in range(5)], [1, 2, 5, 7, 9])

    def test_many(self):
        for size in (0, 1, 2, 10, 300):
            with self.subTest(size=size):
                values = [i * 7919 % 1009 for i in range(size)]
                heap = Heap(values)
                self.assertEqual([heap.pop() for _ in range(size)], sorted(values))

    def test_empty(self):
        with self.assertRaises(IndexError):
            Heap().pop()

    def test_wrong(self):
        self.assertEqual(self.heap.pop(), 2, "this one fails on purpose")

    @unittest.skip("shows a skipped test")
    def test_skipped(self):
        self.fail()

    @unittest.expectedFailure
    def test_expected(self):
        self.assertIn(99, self.heap.items)

    def test_error(self):
        self.heap.nothing()


class FileTest(unittest.TestCase):
    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sub" / "file.txt"
            path.parent.mkdir()
            path.write_text("text\n" * 100)
            self.assertEqual(path.stat().st_size, 500)
            self.assertEqual(sorted(p.name for p in Path(folder).rglob("*")), ["file.txt", "sub"])
        self.assertFalse(path.exists())


stream = io.StringIO()
suite = unittest.defaultTestLoader.loadTestsFromModule(__import__("__main__"))
suite.addTest(doctest.DocTestSuite())
result = unittest.TextTestRunner(stream=stream, verbosity=2).run(suite)
text = re.sub(r"in \d+\.\d+s", "in N s", stream.getvalue())
print(re.sub(r'File ".*/', 'File "', text))
print(len(result.failures), len(result.errors), len(result.skipped), len(result.expectedFailures))
