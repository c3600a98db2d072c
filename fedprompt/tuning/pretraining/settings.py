"""What a training takes: windows, steps, and how AdamW goes."""

from dataclasses import dataclass, replace

from fedprompt.tuning.schedule import Schedule

__all__ = ["PretrainSettings"]


@dataclass(frozen=True)
class PretrainSettings:
    """``steps`` of ``batch`` windows of ``window`` tokens each.

    Attributes:
        schedule: of the learning rate ``lr``; its ``first`` counts the steps of earlier rounds.
        accumulate: parts that a batch is computed in.
        clip: the norm that a step's gradient is cut to.
        decay: weight decay, of matrices alone.
        seed: of the windows' order; a site's own, so that nobody else knows it.
        rows: of logits that are held at once.
    """

    steps: int
    batch: int
    window: int
    lr: float
    schedule: Schedule
    seed: int
    accumulate: int = 1
    clip: float = 1.0
    decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    rows: int = 512

    def from_step(self, first: int) -> "PretrainSettings":
        """Return the settings of steps that follow on ``first`` others."""
        return replace(self, schedule=replace(self.schedule, first=first))
