"""Which site's key cuts a file's cases: the one place that says it, whoever asks.

A file belongs to the site that is named; else to the site in whose folder it lies; else to the site that this machine
joined as, or to ``this-site`` where it joined none. Invariant: every command and page that reads cases of one study
finds each of them in the same split. Where the same cases were cut under another name of this home, they stay as they
were cut, and one that was tuned on under one name and tested under another is used for nothing, which is told.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.splits.adopting import Other
from fedprompt.evaluation.splits.cutting import Splits, load_assignment
from fedprompt.site.folder import SiteFolder
from fedprompt.study.schema import Study
from fedprompt.workspace.cases.site_of_file import split_cases
from fedprompt.workspace.enrolled.site_folder import enrolled_sites
from fedprompt.workspace.home import Home

__all__ = ["OWN_SITE", "Cutter", "cutter_of", "own_site"]

OWN_SITE = "this-site"
log = logging.getLogger(__name__)


def own_site(home: Home) -> str:
    """Return the site that files are kept for: the one that this machine joined as, else its own."""
    names = enrolled_sites(home)
    return names[0] if names else OWN_SITE


@dataclass(frozen=True)
class Cutter:
    """Cuts cases under the key of ``folder``; ``others`` are the folders where they may have been cut before."""

    folder: SiteFolder
    others: tuple[SiteFolder, ...]

    def cut(self, study: Study, cases: Sequence[Case], *, store: bool = True) -> Splits:
        """Return the split cases.

        Args:
            store: keep the cut; without it nothing is written.

        Raises:
            DataError: a key or a stored cut cannot be read or written.
        """
        found = []
        for other in self.others:
            assignment = load_assignment(other.assignment(study.study))
            if assignment:
                found.append(Other(other.key, assignment))
        splits = split_cases(self.folder, study, cases, others=found, store=store)
        if splits.left_out:
            log.warning(
                "%d of %d cases are left out of all splits of '%s': earlier splits under the sites %s put them "
                "or their groups into different splits",
                len(splits.left_out),
                len(cases),
                study.study,
                ", ".join(sorted({self.folder.path.name, *(other.path.name for other in self.others)})),
            )
        return splits


def cutter_of(home: Home, data: Path | None, site: str | None = None, apart: Collection[str] = ()) -> Cutter:
    """Return what cuts a file's cases.

    Args:
        data: the file; None where its place says nothing.
        site: whose cases they are, where the caller knows.
        apart: sites whose cases are somebody else's: those that take part in the same federation.
    """
    folder = home.sites / site if site is not None else _folder_of(home, data)
    keyed = (path.parent for path in sorted(home.sites.glob("*/site.key")))
    return Cutter(
        SiteFolder(folder),
        tuple(SiteFolder(path) for path in keyed if path != folder and path.name not in apart),
    )


def _folder_of(home: Home, data: Path | None) -> Path:
    """Return the folder of the site in whose folder the file lies, else that of this machine's own site."""
    top = home.sites.resolve()
    for path in () if data is None else data.resolve().parents:
        if top not in path.parents:
            break
        site = home.sites / path.relative_to(top)
        if site.name != OWN_SITE and ((site / "site.key").exists() or path.parent == top):
            return site
    return home.sites / own_site(home)
