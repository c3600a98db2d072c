"""A site's side of federated pre-training: its text, its optimiser, and the files between two rounds.

Invariant: what a round gives follows from the weights that came, the site's text and key, and the rounds that it has
answered before; a process that was killed goes on with the same bits. Files of a round are replaced only once the next
one begins.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedprompt.corpora.preparing import Corpus
from fedprompt.errors import TuningError
from fedprompt.privacy.quantise import quantise, restore
from fedprompt.site.drawing import Drawing
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.pretraining import Pretraining
from fedprompt.study.schema import Precision, Study
from fedprompt.study.weights_bound import longest_weights_update
from fedprompt.tuning.pretraining.flat import FlatModel
from fedprompt.tuning.pretraining.flat_files import blocks, digest_of, mapped, write_flat, write_part
from fedprompt.tuning.pretraining.loop import Keeping, rows_of, train
from fedprompt.tuning.pretraining.perplexity import HeldOut, held_out_loss
from fedprompt.tuning.pretraining.settings import PretrainSettings
from fedprompt.tuning.pretraining.state import read_arrays, write_arrays
from fedprompt.tuning.schedule import Schedule
from fedprompt.verbs.weights import PART
from fedprompt.verbs.weights import rows_of as as_rows

__all__ = ["PretrainingAtSite", "settings_of"]

MOMENTS = ("first", "second")


def settings_of(study: Study, spec: Pretraining, round: int, seed: int) -> PretrainSettings:
    """Return what a site's training takes in a round."""
    total = spec.steps * study.rounds.count
    schedule = Schedule(spec.schedule, min(spec.warmup, total), total, (round - 1) * spec.steps)
    return PretrainSettings(
        spec.steps, spec.batch, spec.window, spec.lr, schedule, seed, spec.accumulate, spec.clip, spec.decay
    )


@dataclass
class PretrainingAtSite:
    """What one site has and keeps for one study.

    Attributes:
        folder: private; everything that is kept lies in it.
        study, digest: the accepted study.
        corpus: the site's text, prepared.
        model: built once; sites of one process share it.
        drawing: what the order of windows follows from.
        stepped: hears (round, step, loss).
        keep_seconds: how often the state is written while steps are taken.
    """

    folder: Path
    study: Study
    digest: str
    corpus: Corpus
    model: FlatModel
    drawing: Drawing
    stepped: Callable[[int, int, float], None] | None = None
    stop: StopToken = NEVER
    keep_seconds: float = 20.0

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def spec(self) -> Pretraining:
        """What the study says."""
        assert self.study.pretraining is not None  # a worker of another study has no such side
        return self.study.pretraining

    def take_part(self, digest: str, part: int, rows: NDArray[np.float32]) -> bool:
        """Keep a part of weights that came; say whether it is one of this model."""
        first = part * PART
        wanted = min(PART, self.model.size - first)
        if wanted <= 0 or as_rows(np.zeros(wanted, np.float32)).shape != rows.shape:
            return False
        write_part(self._incoming(digest), first, rows.reshape(-1)[:wanted])
        self._forget_weights()
        return True

    def weights(self, digest: str) -> NDArray[np.float32] | None:
        """Return the weights that came, None unless all parts did and they are finite."""
        found = mapped(self._incoming(digest), self.model.size)
        if found is None or digest_of(found) != digest:
            return None
        return found if all(np.isfinite(found[low:high]).all() for low, high in blocks(len(found))) else None

    def documents_of(self, round: int) -> int:
        """Count the documents that a round's steps are taken on."""
        settings = self._settings(round)
        windows = self.corpus.train.windows(settings.window)
        if not windows:
            return 0
        first = settings.schedule.first
        rows = {
            row for step in range(first + 1, first + settings.steps + 1) for row in rows_of(settings, windows, step)
        }
        return len(self.corpus.train.documents_in(sorted(rows), settings.window))

    def take_steps(self, round: int, weights: NDArray[np.float32], question: str) -> None:
        """Take a round's steps from ``weights``, and keep the change, clipped, for :meth:`update_part`.

        Raises:
            TuningError: the loss is no number, or a file cannot be written.
            Stopped: it was to end; the next call goes on.
        """
        before = self._last_before(round)
        self.model.install(np.asarray(weights))
        moments = None if before == 0 else read_arrays(self._file("moments", before), MOMENTS)
        if before and moments is None:
            raise TuningError(
                f"{self._file('moments', before)}: the saved state of training cannot be read; remove the "
                "folder to train this site's part again",
                code="damaged",
            )
        stepped = self.stepped
        trained = train(
            self.model,
            self.corpus.train,
            self._settings(round),
            moments=None if moments is None else (moments[0]["first"], moments[0]["second"]),
            keeping=Keeping(self.folder / "state.safetensors", question, self.keep_seconds),
            progress=None if stepped is None else lambda step, loss: stepped(round, step, loss),
            stop=self.stop,
        )
        end = trained.state
        write_arrays(self._file("moments", round), {"first": end.first, "second": end.second}, {"round": str(round)})
        self._keep_change(round, before, weights, end.weights)
        (self.folder / "state.safetensors").unlink(missing_ok=True)
        self._forget(before)

    def has_update(self, round: int) -> bool:
        """Say whether the change of a round is there."""
        return mapped(self._file("update", round), self.model.size) is not None

    def update_part(self, round: int, part: int) -> dict[str, NDArray[np.generic]] | None:
        """Return a part of a round's change as it is to leave, None where there is none."""
        found = mapped(self._file("update", round), self.model.size)
        if found is None or part * PART >= self.model.size:
            return None
        return dict(quantise(as_rows(np.array(found[part * PART : (part + 1) * PART])), self.precision))

    def held_out(self, weights: NDArray[np.float32]) -> HeldOut:
        """Return how well weights predict the held-out text.

        Raises:
            TuningError: the text has less than one window.
        """
        self.model.install(np.asarray(weights))
        return held_out_loss(
            self.model, self.corpus.held_out, self.spec.window, most=self.spec.looked_at, stop=self.stop
        )

    @property
    def precision(self) -> Precision:
        """How updates travel."""
        return self.study.rounds.update

    def _settings(self, round: int) -> PretrainSettings:
        seed = int(self.drawing.rng(self.digest, 0).integers(0, 2**63))
        return settings_of(self.study, self.spec, round, seed)

    def _keep_change(self, round: int, before: int, start: NDArray[np.float32], end: NDArray[np.float32]) -> None:
        """Write the change with what rounding left over before, cut to the bound, and what rounding leaves now."""
        size = self.model.size
        left = mapped(self._file("residual", before), size) if before and self.precision != "float32" else None

        def wanted(low: int, high: int) -> NDArray[np.float32]:
            change = np.subtract(end[low:high], start[low:high], dtype=np.float32)
            return change if left is None else np.asarray(change + left[low:high], np.float32)

        norm = sum(float(np.square(wanted(low, high), dtype=np.float64).sum()) for low, high in blocks(size)) ** 0.5
        most = longest_weights_update(self.spec, self.study.privacy, size)
        share = np.float32(min(1.0, most / norm if norm else 1.0))
        write_flat(self._file("update", round), (wanted(low, high) * share for low, high in blocks(size)))
        if self.precision != "float32":
            write_flat(self._file("residual", round), self._lost(round, size))

    def _lost(self, round: int, size: int) -> Iterable[NDArray[np.float32]]:
        found = mapped(self._file("update", round), size)
        assert found is not None  # it was written just now
        for first in range(0, size, PART):
            part = np.array(found[first : first + PART])
            yield part - restore(quantise(as_rows(part), self.precision)).reshape(-1)[: len(part)]

    def _last_before(self, round: int) -> int:
        """Return the last round before this one whose steps were taken, 0 where there is none."""
        done = (int(path.suffix[1:]) for path in self.folder.glob("moments.*") if path.suffix[1:].isdecimal())
        return max((number for number in done if number < round), default=0)

    def _forget(self, before: int) -> None:
        """Remove what rounds earlier than the last one left."""
        for path in self.folder.glob("*.[0-9]*"):
            if path.suffix[1:].isdecimal() and int(path.suffix[1:]) < before:
                path.unlink(missing_ok=True)

    def _forget_weights(self) -> None:
        """Remove weights that came, but the newest two, so that a hub cannot fill the disk."""
        came = sorted(self.folder.glob("came-*"), key=lambda path: path.stat().st_mtime_ns)
        for path in came[:-2]:
            path.unlink(missing_ok=True)

    def _incoming(self, digest: str) -> Path:
        return self.folder / f"came-{digest[:32]}"

    def _file(self, what: str, round: int) -> Path:
        return self.folder / f"{what}.{round}"
