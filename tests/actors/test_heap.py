"""What lives when a process is ready is looked at by no later collection; what comes after is collected as ever."""

import subprocess
import sys

PROGRAM = """
import gc, weakref
from actors.heap import freeze_heap

class Node:
    pass

def cycle():
    node = Node()
    node.itself = node
    return weakref.ref(node)

before = cycle()
old = Node()
freeze_heap()
assert before() is None, "garbage of the start is not kept for ever"
assert gc.get_freeze_count() > 1_000
assert not any(each is old for each in gc.get_objects())
after = cycle()
gc.collect()
assert after() is None
"""


def test_a_frozen_heap_is_left_alone_and_new_garbage_is_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
