"""``site cases``: which cases a site answers over, how many wait, and a new case set where its operator begins one."""

from dataclasses import dataclass

from fedprompt.evaluation.splits.entered_file import save_entered
from fedprompt.site.folder import ENTERED
from fedprompt.workspace.cases.entered_cases import CasesNow, cases_now
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home

__all__ = ["CasesOfStudy", "SiteCases", "site_cases"]

GIVES_AWAY = (
    "this site forgets which cases its earlier answers used. Comparing later with earlier answers can then "
    "reveal the cases added or removed in between, even a single case. Exact questions stay counted"
)


@dataclass(frozen=True)
class CasesOfStudy:
    """An accepted study and how its cases stand, None before the first look."""

    study: str
    cases: CasesNow | None


@dataclass(frozen=True)
class SiteCases:
    """How the cases of the accepted studies stand; where a new case set was begun, what that gives away."""

    site: str
    studies: tuple[CasesOfStudy, ...]
    begun_anew: bool
    sentence: str | None


def site_cases(home: Home, *, begin_anew: bool = False, site: str | None = None) -> SiteCases:
    """Return how the cases of the accepted studies stand; with ``begin_anew`` forget over which the site has answered.

    Raises:
        FederationError: this home has no such site.
        DataError: a list cannot be written.
    """
    chosen = enrolled(home, site)
    names = sorted({accepted.study.study for accepted in chosen.accepted()})
    if begin_anew:
        for path in {*chosen.folder.path.glob(f"{ENTERED}*.json"), *map(chosen.folder.entered, names)}:
            save_entered(path, (), None)
    studies = tuple(CasesOfStudy(name, cases_now(chosen.folder, name)) for name in names)
    return SiteCases(chosen.name, studies, begin_anew, GIVES_AWAY if begin_anew else None)
