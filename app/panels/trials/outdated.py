"""Which answers of a run are of a prompt, texts or scorers that were changed since."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.display.named import named
from app.display.plain import plain
from app.panels.trials.cases import Cases
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.playground.trials import Check, Trial

__all__ = ["Outdated", "draw_outdated", "outdated"]


@dataclass(frozen=True)
class Outdated:
    """``variants``: places in the run whose prompt or settings differ from what stands in the boxes now."""

    variants: frozenset[int] = frozenset()
    texts: bool = False
    scorers: bool = False

    def __bool__(self) -> bool:
        return bool(self.variants) or self.texts or self.scorers


def outdated(trial: Trial, given: Sequence[Variant | None], cases: Cases, checks: Sequence[Check] | None) -> Outdated:
    """Return what changed since a run.

    Args:
        trial: the run.
        given: what a run would ask now, None where a variant is wrong just now.
        cases: the texts that stand there.
        checks: the scorers that stand there, None where one is wrong just now.
    """
    request, ran = trial.request, trial.request.variants
    changed = frozenset(place for place, one in enumerate(ran) if place >= len(given) or not _same(one, given[place]))
    # Of a sweep that was opened again, only the first point stands in the boxes.
    if len(given) < len(ran) and all(any(_same(one, now) for one in ran) for now in given):
        changed = frozenset()
    then, now = (tuple(request.rows), _known(request.expected)), (cases.rows, _known(cases.expected))
    texts = bool(cases.rows) and then != now
    return Outdated(changed, texts, request.checks != tuple(checks) if checks is not None else True)


def draw_outdated(trial: Trial, found: Outdated) -> None:
    """Say above the answers what they are not of any more; nothing where they are up to date."""
    if not found:
        return
    kinds = [kind for kind in ("variants", "texts", "scorers") if getattr(found, kind)]
    names = [trial.request.variants[place].name for place in sorted(found.variants)]
    parts = []
    if names:
        parts.append(f"prompt or settings of {', '.join(map(plain, names[:6]))}{' and more' if len(names) > 6 else ''}")
    if found.texts:
        parts.append("texts")
    if found.scorers:
        parts.append("scorers")
    named(f"outdated_{'_'.join(kinds)}").warning(
        f"**Outdated.** Changed since this run: {'; '.join(parts)}. Run again for current answers.",
        icon=":material/update:",
    )


def _same(one: Variant, other: Variant | None) -> bool:
    """Return whether two variants ask the same; what they are called does not count."""
    return other is not None and one == other.model_copy(update={"name": one.name})


def _known(expected: Sequence[str]) -> tuple[str, ...]:
    return tuple(expected) if any(expected) else ()
