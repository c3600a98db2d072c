"""How long a thread of torch's pool that has nothing to do stays awake; set before torch is imported.

A pool that sleeps at once (``OMP_WAIT_POLICY=PASSIVE``) is woken for each of the thousands of small products of a
step and runs at half the speed on two cores; one that spins on takes the core of another process, such as the
playground beside a demo, and both crawl. So threads spin for about a millisecond and then sleep.
"""

from collections.abc import MutableMapping

__all__ = ["SPIN", "spin_briefly"]

SPIN = {"GOMP_SPINCOUNT": "30000"}


def spin_briefly(environment: MutableMapping[str, str]) -> None:
    """Set how long idle threads spin, unless the environment says so itself; it outranks ``OMP_WAIT_POLICY``."""
    for name, value in SPIN.items():
        environment.setdefault(name, value)
