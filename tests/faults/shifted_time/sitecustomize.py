"""For processes with another time: Python sleeps until a moment of the monotonic clock, which
libfaketime shifts on the way although it was told not to. Relative waits it leaves alone."""

import select
import time


def sleep(seconds: float) -> None:
    """Wait."""
    select.select([], [], [], max(0.0, seconds))


time.sleep = sleep
