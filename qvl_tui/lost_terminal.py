"""Notice that the terminal is gone where no signal says so, as in a container's session."""

import select

STDIN = 0
LOOK_SECONDS = 2.0


def terminal_is_gone() -> bool:
    """Whether nobody can type any more: the other end of the terminal was closed."""
    poll = select.poll()
    poll.register(STDIN, 0)
    return any(told & (select.POLLHUP | select.POLLERR) for _, told in poll.poll(0))
