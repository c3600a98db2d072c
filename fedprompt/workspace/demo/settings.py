"""What a demo is run with: its task, and numbers that the task gives where nothing is said.

Invariant: ``filled`` leaves no number of the task open, so that a run is known by what it was run with.
"""

from dataclasses import dataclass

__all__ = ["DemoSettings"]


@dataclass(frozen=True)
class DemoSettings:
    """``cases`` a site tunes on; ``held_out`` each for validation and for test; ``task`` is one of ``tasks.TASKS``.

    A newcomer, where the task has one, answers ``asked`` test cases after each of ``draws`` draws of its labelled
    cases. What is None is the task's own. ``dtype`` and ``threads`` are the machine's own if None; they
    are recorded, and a run resumes with its own.
    """

    rounds: int | None = None
    cases: int | None = None
    seed: int = 0
    held_out: int | None = None
    again: bool = False
    model: str | None = None
    dtype: str | None = None
    threads: int | None = None
    templates: int | None = None
    task: str = "questions"
    draws: int | None = None
    asked: int | None = None
