"""Calls by the doors of other machines: i386 (int 0x80) and x32, which numbers of ours do not cover."""

import ctypes
import mmap
import platform

from sandboxes.attacks.means import Ground, call

X32, GET_PID = 0x40000000, 39
I386_GET_PID = bytes.fromhex("b814000000cd80c3")
"""mov eax, 20; int 0x80; ret."""


def attack(ground: Ground) -> list[str]:
    if platform.machine() != "x86_64":
        return []
    if ground["how"] == "x32":
        call(X32 + GET_PID)
        return ["x32"]
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(I386_GET_PID)
    start = ctypes.addressof(ctypes.c_char.from_buffer(page))
    ctypes.CFUNCTYPE(ctypes.c_int)(start)()
    return ["i386"]
