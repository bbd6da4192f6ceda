# SPDX-License-Identifier: MIT
#
# os, shutil, mmap, tempfile: what a program does with files, and the errors that it may get.

import errno
import mmap
import os
import shutil
import stat
import tempfile
from pathlib import Path

home = Path("area")
home.mkdir()
os.chdir(home)


def refused(call, *args):
    try:
        call(*args)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "allowed"


with open("data", "wb") as f:
    f.write(bytes(range(256)) * 64)
    f.seek(100_000)
    f.write(b"after a hole")
info = os.stat("data")
print(info.st_size, stat.filemode(info.st_mode), info.st_nlink)

with open("data", "r+b") as f, mmap.mmap(f.fileno(), 0) as view:
    print(view[65:70], view.find(b"after"), view[50_000:50_004])
    view[0:5] = b"MAPPED"[:5]
    view.flush()
    print(os.pread(f.fileno(), 8, 0))
    os.pwrite(f.fileno(), b"written", 16)
    print(view[14:25])
    os.truncate("data", 70_000)
    print(os.fstat(f.fileno()).st_size, f.seek(0, os.SEEK_END))

fd = os.open("data", os.O_RDONLY)
copy = os.dup(fd)
os.lseek(fd, 1000, os.SEEK_SET)
print(os.lseek(copy, 0, os.SEEK_CUR), os.readv(copy, [bytearray(10), bytearray(20)]))
print(refused(os.write, fd, b"x"), refused(os.read, 999, 1), refused(os.lseek, fd, -1, 0))
os.close(fd)
os.close(copy)

os.symlink("data", "link")
os.link("data", "hard")
os.mkdir("dir", 0o750)
os.mkfifo("fifo", 0o600)
print(os.readlink("link"), os.lstat("link").st_size, os.stat("hard").st_nlink)
with os.scandir() as entries:
    print(sorted((e.name, e.is_dir(), e.is_symlink()) for e in entries))
print(refused(os.mkdir, "dir"), refused(os.rmdir, "data"), refused(os.unlink, "dir"), refused(os.open, "none", 0))
print(refused(os.open, "data/x", 0), refused(os.open, "dir", os.O_WRONLY), refused(os.readlink, "data"))
os.symlink("loop2", "loop1")
os.symlink("loop1", "loop2")
print(refused(os.open, "loop1", 0), refused(os.stat, "n" * 300), refused(os.rename, "dir", "dir/in"))
Path("dir/full").touch()
print(refused(os.rmdir, "dir"), refused(os.rename, "data", "dir"))

os.chmod("data", 0o640)
os.utime("data", ns=(10**18, 2 * 10**18 + 123456789))
info = os.stat("data")
print(oct(info.st_mode), info.st_atime_ns, info.st_mtime_ns)
os.rename("hard", "dir/moved")
os.replace("data", "dir/replaced")
print(os.path.samefile("dir/moved", "dir/replaced"), os.path.exists("link"), os.path.lexists("link"))

shutil.copytree("dir", "copy")
print(sorted(os.listdir("copy")))
print([(d.replace(str(home), ""), sorted(ds), sorted(fs)) for d, ds, fs in sorted(os.walk("copy"))])
print(shutil.make_archive("packed", "zip", "copy")[-10:], os.path.getsize("packed.zip") > 100)
shutil.unpack_archive("packed.zip", "unpacked")
print(sorted(os.listdir("unpacked")))
shutil.rmtree("copy")

with tempfile.NamedTemporaryFile(dir=".") as f, tempfile.TemporaryFile(dir=".") as g:
    f.write(b"temporary")
    g.write(b"nameless" * 1000)
    f.flush()
    g.flush()
    print(os.path.getsize(f.name), os.fstat(g.fileno()).st_size, os.fstat(g.fileno()).st_nlink)
folder = os.open("dir", os.O_RDONLY | os.O_DIRECTORY)
fd = os.open("made", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600, dir_fd=folder)
print(os.sendfile(fd, os.open("dir/moved", os.O_RDONLY), 0, 5000), os.fstat(fd).st_size)
print(os.copy_file_range(os.open("dir/moved", os.O_RDONLY), fd, 1000), os.fstat(fd).st_size)
os.posix_fallocate(fd, 0, 20_000)
print(os.fstat(fd).st_size, sorted(os.listdir(folder)))
os.unlink("made", dir_fd=folder)
memory = os.memfd_create("name")
os.write(memory, b"in memory")
print(os.pread(memory, 100, 3), os.path.basename(os.readlink(f"/proc/self/fd/{memory}")))
print(os.umask(0o22) is not None, refused(os.chdir, "/root/none"), os.path.basename(os.getcwd()))
