"""When Python searches for objects that nothing reaches any more.

What a process loads stays. To search it again and again while it is loaded, and once more at the
end, would be a third of the time of a command.
"""

from __future__ import annotations

import atexit
import gc

#: New objects between two searches: about as many as a command makes in all.
OF_COMMANDS = (200_000, 10, 10)
#: Python's own.
OF_SERVERS = gc.get_threshold()


def search_rarely() -> None:
    """For commands: a search only if they make very many objects, and none at the end."""
    gc.set_threshold(*OF_COMMANDS)
    atexit.register(gc.freeze)


def search_nothing() -> None:
    """For a server until it has loaded: what it makes by then stays."""
    gc.disable()


def search_new_objects() -> None:
    """For processes that stay: searches as usual, but never of what is loaded by now. The little of
    it that nothing reaches is kept too: to find it takes longer than to load a page."""
    gc.freeze()
    gc.set_threshold(*OF_SERVERS)
    gc.enable()
