"""Strategies that mean harm, and an honest one to compare with: loaded as any strategy is."""

HONEST = """
import numpy as np

LOOKBACK = 20


def targets(bars, *, days=20):
    sums = np.cumsum(np.vstack([np.zeros((1, bars.close.shape[1])), bars.close]), axis=0)
    weights = np.zeros(bars.close.shape)
    means = (sums[days:] - sums[:-days]) / days
    weights[days - 1 :] = np.where(bars.close[days - 1 :] > means, 0.25, 0.0)
    return weights
"""

FORGED_FRAMES = """
import os
import stat

FORGED = b"\\xff\\xff\\xff\\x7f" + b"forged" * 1000


def targets(bars):
    for number in range(3, 4096):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                os.write(number, FORGED)
        except OSError:
            continue
    return bars.close * 0
"""

BAD_RESULTS = """
import numpy as np


class Odd(float):
    def __reduce__(self):
        return eval, ("__import__('os').system('id')",)


def nested():
    found = []
    for _ in range(10_000):
        found = [found]
    return found


def cycle():
    found = []
    found.append(found)
    return found


def targets(bars, *, what):
    zeros = bars.close * 0
    return {
        "nan": lambda: zeros + np.nan,
        "infinite": lambda: zeros + np.inf,
        "huge": lambda: zeros + 1e308,
        "whole number without end": lambda: [[10**400] * bars.close.shape[1]] * len(bars),
        "text": lambda: "buy",
        "nothing": lambda: None,
        "truth": lambda: zeros > -1,
        "list of too few": lambda: [0.25],
        "more rows": lambda: np.zeros((len(bars) + 1, bars.close.shape[1])),
        "transposed": lambda: np.zeros(bars.close.shape).T,
        "mapping": lambda: {"target": 1.0, "extra": 2.0},
        "objects": lambda: np.array([[Odd(1.0)] * bars.close.shape[1]] * len(bars), dtype=object),
        "nested": nested,
        "cycle": cycle,
        "64 MiB": lambda: np.zeros((8 << 20, 1)),
    }[what]()
"""

PATCHED = """
import builtins
import os
import struct
import sys

import numpy as np

real = os.write


def forge(number, data):
    return real(number, data[:4] + bytes(len(data) - 4))


def targets(bars):
    os.write = forge
    np.asarray = lambda *_, **__: bars.close + 1e9
    np.ascontiguousarray = np.asarray
    builtins.len = lambda _: 1 << 40
    struct.pack = lambda *_: b""
    sys.modules["msgpack"] = None
    return bars.close * 0
"""

SPIN = """
calls = 0


def targets(bars):
    global calls
    calls += 1
    while calls > 3:
        pass
    return bars.close * 0
"""

LOOK_AHEAD = '''
import gc
import sys

import numpy as np


def targets(bars):
    """Go long as soon as anything in this process is newer than the newest bar."""
    known, newest = bars.close.size, bars.ts[-1]
    frame, ahead = sys._getframe(), False
    while frame:
        for value in [*frame.f_locals.values(), *gc.get_objects()]:
            if isinstance(value, np.ndarray) and value.dtype.kind in "if" and value.size > known:
                ahead |= bool((value.ravel().astype("f8") > float(newest)).any())
            if isinstance(value, bytes) and len(value) > 8 * known:
                ahead |= newest.tobytes() not in value and len(value) < 100 * known
        frame = frame.f_back
    return np.full(bars.close.shape, 1.0 if ahead else 0.0)
'''

AT_IMPORT = """
import os
import socket

got = []
for path in ("/etc/passwd", "/proc/self/environ", "/root", "KEY_FILE"):
    try:
        got.append(open(path).read())
    except OSError:
        pass
for attempt in (os.fork, lambda: socket.socket(), lambda: os.execv("/bin/sh", ["sh"])):
    try:
        attempt()
        got.append("started")
    except OSError:
        pass


def targets(bars):
    return bars.close * 0 + len(got)
"""

TURNCOAT = """
import os
import stat

LOOKBACK = 2
calls = 0


def forks():
    for _ in range(20):
        try:
            if not os.fork():
                os._exit(0)
        except OSError:
            continue


def takes_memory():
    held = []
    try:
        while len(held) < 24:
            held.append(b"x" * (64 << 20))
    except MemoryError:
        pass


def writes_garbage():
    for number in range(3, 4096):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                os.write(number, b"\\xff\\xff\\xff\\x7f" + b"forged" * 1000)
        except OSError:
            continue


def targets(bars, *, after, how):
    global calls
    calls += 1
    if calls > after:
        if how == "garbage":
            writes_garbage()
        if how == "resources":
            forks()
            takes_memory()
        while how != "garbage":
            pass
    return bars.close * 0 + 0.5 / bars.close.shape[1]
"""
