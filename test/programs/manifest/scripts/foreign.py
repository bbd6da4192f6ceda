# SPDX-License-Identifier: MIT
#
# ctypes: C functions, structures, callbacks, errno, memory; the dynamic loader at run time.

import ctypes
import ctypes.util
import os

libc = ctypes.CDLL(None, use_errno=True)
libm = ctypes.CDLL("libm.so.6")
libm.pow.restype = ctypes.c_double
libm.pow.argtypes = [ctypes.c_double, ctypes.c_double]
print(libm.pow(2, 0.5), libc.strlen(b"seven77"), libc.abs(-5))

Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
calls = 0


@Compare
def compare(a, b):
    global calls
    calls += 1
    return a[0] - b[0]


values = (ctypes.c_int * 8)(5, 3, 8, 1, 9, 2, 7, 4)
libc.qsort(values, len(values), ctypes.sizeof(ctypes.c_int), compare)
print(list(values), calls > 8)


class Time(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("sec", "min", "hour", "mday", "mon", "year", "wday", "yday", "isdst")] + [
        ("gmtoff", ctypes.c_long), ("zone", ctypes.c_char_p)]


moment = ctypes.c_long(1_000_000_000)
time = Time()
libc.gmtime_r(ctypes.byref(moment), ctypes.byref(time))
print(time.year + 1900, time.mon + 1, time.mday, time.hour, time.min, time.sec)

buffer = ctypes.create_string_buffer(64)
libc.snprintf(buffer, ctypes.c_size_t(64), b"%05d %s %.3f", 42, b"text", ctypes.c_double(2.5))
print(buffer.value)
libc.open(b"/no/such/file", 0)
print(os.strerror(ctypes.get_errno()))

zlib = ctypes.CDLL(ctypes.util.find_library("z") or "libz.so.1")
zlib.crc32.restype = ctypes.c_ulong
print(hex(zlib.crc32(0, b"123456789", 9)))
try:
    ctypes.CDLL("libnothing.so.9")
except OSError as error:
    print(error)
try:
    libc.no_such_function
except AttributeError as error:
    print(str(error).split(": ")[-1])
print(ctypes.string_at(buffer, 5), ctypes.cast(buffer, ctypes.POINTER(ctypes.c_char))[6], ctypes.sizeof(Time))
