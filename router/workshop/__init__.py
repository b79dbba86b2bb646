"""Where a configuration is tried before it goes live: in a process of its own, so that no call waits for it."""

from router.workshop.trial import Workshop

__all__ = ["Workshop"]
