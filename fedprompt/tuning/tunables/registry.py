"""Which tunable a study's rounds move."""

from collections.abc import Mapping

from fedprompt.study.schema import Study
from fedprompt.tuning.tunables.lora import LoraTunable
from fedprompt.tuning.tunables.soft import SoftTunable
from fedprompt.tuning.tunables.tunable import Tunable

__all__ = ["TUNABLES", "tunable_of"]

TUNABLES: Mapping[str, Tunable] = {tunable.name: tunable for tunable in (SoftTunable(), LoraTunable())}


def tunable_of(study: Study) -> Tunable | None:
    """Return what a study's rounds move, None where it has no rounds."""
    return None if study.moves is None else TUNABLES[study.moves]
