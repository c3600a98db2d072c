"""Makes a site's worker of pre-training out of its files: its text is prepared, and there is room for the training."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedprompt.corpora.preparing import Corpus, prepare
from fedprompt.errors import DataError, ModelError
from fedprompt.models.sources import Source
from fedprompt.site.drawing import Drawing
from fedprompt.site.folder import SiteFolder
from fedprompt.site.pretraining import PretrainingAtSite, settings_of
from fedprompt.site.pretraining_worker import PretrainingWorker
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.tuning.pretraining.flat import FlatModel
from fedprompt.tuning.pretraining.perplexity import looked_at
from fedprompt.tuning.pretraining.room import check_room, needed
from fedprompt.workspace.rounds.pretraining_base import PretrainingBase, spec_of

__all__ = ["SiteText", "check_site", "make_pretraining_worker", "prepare_text"]


@dataclass(frozen=True, eq=False)
class SiteText:
    """A site's prepared text, and an HMAC of it under the site's key, so that other text is another run."""

    corpus: Corpus
    contents: str


def check_site(study: Study, base: PretrainingBase, folder: SiteFolder, sites: int = 1) -> None:
    """Refuse a training that is too large for this machine or for what the site's operator allows; nothing is loaded.

    Args:
        sites: how many train on this machine, one after another.

    Raises:
        ModelError: the model has more weights than the site's policy allows.
        TuningError: there is too little memory or disk.
    """
    config, weights = base.measured()
    most = folder.policy.weights
    if most is not None and weights > most:
        raise ModelError(
            f"the study '{study.study}' trains a model of {weights:,} weights, and this site's policy allows {most:,}; "
            f"if the site may train it, run 'fedprompt site policy --weights {weights}'",
            code="larger-than-allowed",
        )
    check_room(needed(config, weights, settings_of(study, spec_of(study), 1, 0)), folder.path, sites)


def prepare_text(
    folder: SiteFolder,
    name: str,
    study: Study,
    base: PretrainingBase,
    paths: Sequence[Path],
    *,
    column: str | None = None,
    evaluation: Sequence[str] = (),
    least: int,
    progress: Callable[[int, int], None] | None = None,
    stop: StopToken = NEVER,
) -> SiteText:
    """Return a site's text, prepared once.

    Args:
        least: the fewest documents that are trained on, and that are held out.

    Raises:
        DataError: the files cannot be used, or there is too little text; says what was left out.
    """
    corpus = prepare(
        paths,
        folder.path / "corpora",
        base.tokenizer,
        tokenizer_digest=base.tokenizer_digest,
        key=folder.key,
        held_out=spec_of(study).held_out,
        column=column,
        evaluation=evaluation,
        progress=progress,
        stop=stop,
    )
    counts = corpus.counts
    if min(counts.kept, counts.held_out) < least:
        raise DataError(
            f"site '{name}' has {counts.kept:,} documents to train on and {counts.held_out:,} held out, but "
            f"privacy.min_cases requires {least:,} of each; add text, change 'held_out', or lower min_cases in "
            "the study",
            code="too-few-cases",
        )
    spec = spec_of(study)
    window = spec.window
    if not corpus.train.windows(window) or not corpus.held_out.windows(window):
        raise DataError(
            f"site '{name}' has {counts.tokens:,} tokens to train on and {counts.held_out_tokens:,} that are held out, "
            f"and a window has {window:,}; add text, or lower 'window' in the study",
            code="too-little-text",
        )
    seen = len(corpus.held_out.documents_in(looked_at(corpus.held_out, window, spec.looked_at), window))
    if seen < least:
        raise DataError(
            f"site '{name}': the {spec.looked_at:,} held-out windows that are looked at are of {seen:,} documents, and "
            f"privacy.min_cases asks for {least:,}; raise 'looked_at', or lower min_cases in the study",
            code="too-few-cases",
        )
    return SiteText(corpus, hmac.new(folder.key, corpus.digest.encode(), hashlib.sha256).hexdigest())


def make_pretraining_worker(
    *,
    name: str,
    folder: SiteFolder,
    study: Study,
    digest: str,
    model: FlatModel,
    text: SiteText,
    drawing: Drawing,
    scope: str,
    bounded: bool = True,
    stepped: Callable[[int, int, float], None] | None = None,
    stop: StopToken = NEVER,
    source: Source | None = None,
) -> PretrainingWorker:
    """Return the worker of one site.

    Args:
        scope: names the folder in which its training is kept.
    """
    place = folder.path / "pretraining" / scope.replace(":", "-")
    side = PretrainingAtSite(place, study, digest, text.corpus, model, drawing, stepped, stop)
    return PretrainingWorker(name=name, folder=folder, side=side, bounded=bounded, source=source)
