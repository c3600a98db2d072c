"""This site's own cases of a study: read, cut as everywhere else, one split chosen. Nothing leaves."""

from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.splits.cutting import Splits, SplitSizes
from fedprompt.site.folder import SiteFolder
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.trust.signing import site_identity
from fedprompt.workspace.cases.one_cut import OWN_SITE, cutter_of
from fedprompt.workspace.cases.site_of_file import cases_of
from fedprompt.workspace.workspace import Workspace

__all__ = ["OWN_SITE", "OwnCases", "own_cases"]


@dataclass(frozen=True)
class OwnCases:
    """The chosen split's cases, all splits (``tune`` gives demonstrations), and the site's private folder."""

    chosen: tuple[Case, ...]
    splits: Splits
    folder: SiteFolder


def own_cases(
    ws: Workspace,
    parsed: Study,
    study: Path,
    data: Path,
    columns: Columns,
    split: SplitName,
) -> OwnCases:
    """Return the cases of a file that a study is scored on here.

    Args:
        parsed: the study, and ``study`` its file, for messages.

    Raises:
        DataError: the file cannot be used, or the split is empty; names file, line and field.
    """
    cases = cases_of(data, parsed, columns)
    folder = SiteFolder(ws.home.sites / OWN_SITE)
    folder.prepare()
    ws.bank.register_site(OWN_SITE, site_identity(folder.key))
    cutter = cutter_of(ws.home, data)
    cutter.folder.prepare()
    splits = cutter.cut(parsed, cases)
    chosen = splits.cases(split)
    if not chosen:
        raise DataError(
            f"{data}: the {split} split is empty; add cases or change 'splits:' in {study} "
            f"(it asks for {SplitSizes(**parsed.splits.model_dump()).wanted})",
            code="empty-split",
        )
    return OwnCases(tuple(chosen), splits, folder)
