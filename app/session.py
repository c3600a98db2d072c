"""The session: this machine's workspace, bounded caches of what the pages draw, and errors as one sentence.

Invariant: nobody else caches anything, every key of the session begins with its page's name, and no exception
reaches the visitor as a traceback.
"""

import logging
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import ParamSpec
from zlib import crc32

import streamlit as st

from app.display.address import follow_address
from app.display.named import named
from app.display.plain import plain, sentence
from app.display.titles import titles
from app.visitor import person, submit
from fedprompt.bank.rows import PromptPage, PromptRow, StudyRow
from fedprompt.errors import AssetError, BankError, FedPromptError, JobError
from fedprompt.workspace.exchange.packs_here import PackHere, pack_files, packs_here
from fedprompt.workspace.failure import Traces
from fedprompt.workspace.front.overview import overview
from fedprompt.workspace.home import default_home, find_home
from fedprompt.workspace.playground.trial_files import TrialFolder, owner_folder
from fedprompt.workspace.ranking.comparing import compare
from fedprompt.workspace.ranking.leaderboard import fullest_study
from fedprompt.workspace.ranking.ranking_page import (
    Contenders,
    Coverage,
    RankingFilters,
    RankingPage,
    contenders,
    means_of_prompts,
    ranked_row,
    ranking_page,
)
from fedprompt.workspace.ranking.study_best import StudyBest, bests_of_studies
from fedprompt.workspace.results.views import CompareView, LeaderRow, OverviewView
from fedprompt.workspace.search.looking_up import Filter
from fedprompt.workspace.search.map_points import MapView
from fedprompt.workspace.search.map_points import map_view as map_of
from fedprompt.workspace.shelf.history import Recent, recent
from fedprompt.workspace.shelf.provenance import Provenance, provenance
from fedprompt.workspace.site.ledgers import LedgerView, ledger_files, read_ledger
from fedprompt.workspace.workspace import Workspace, open_workspace

__all__ = [
    "STUDY",
    "bank_stamp",
    "compare_view",
    "explain",
    "fetch_assets",
    "full_row",
    "fullest_revision",
    "guarded",
    "ledger_views",
    "map_view",
    "means_of",
    "newest_prompts",
    "offer_assets",
    "overview_view",
    "packs_view",
    "prompt_titles",
    "prompts_passing",
    "provenance_view",
    "ranking_view",
    "recent_view",
    "role",
    "scored_studies",
    "show_study",
    "study_bests",
    "study_shown",
    "trial_folder",
    "workspace",
]

STUDY = "session_study"
MAX_TITLES = 5000
MAX_REVISIONS = 8
log = logging.getLogger(__name__)
P = ParamSpec("P")


def role() -> str:
    """Return what this machine is in a federation: ``alone``, ``hub`` or ``site``."""
    given = os.environ.get("FEDPROMPT_ROLE", "alone")
    return given if given in ("alone", "hub", "site") else "alone"


def workspace() -> Workspace:
    """Return the one workspace of this server, opened at the first call."""
    return _open(str(find_home().path))


def trial_folder() -> TrialFolder:
    """Return where the visitor's runs and test sets lie: each who signed in has a folder of their own."""
    return owner_folder(workspace().home, person().subject)


def overview_view() -> OverviewView:
    """Return what the Overview page draws, made anew once the bank has changed."""
    ws = workspace()
    return _overview(str(ws.home.path), ws.bank.stamp())  # jobs are on it


def study_bests() -> tuple[StudyBest, ...]:
    """Return the best prompt of each of the newest studies, read anew once the bank has changed."""
    ws = workspace()
    return _study_bests(str(ws.home.path), _stamp(ws))


def recent_view() -> Recent:
    """Return what changed of late, read anew once the bank has changed, and every few minutes."""
    ws, now = workspace(), datetime.now(UTC)
    return _recent(str(ws.home.path), _stamp(ws), now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0))


def study_shown() -> StudyRow | None:
    """Return the study that pages speak of: the one that was chosen, else the one that was worked on last.

    A choice comes by the address (``?study=s1:...``) or by :func:`show_study`, and holds on every page.
    """
    rows = {row.digest: row for row in scored_studies()}
    follow_address("study", STUDY, list(rows))
    if (chosen := rows.get(st.session_state.get(STUDY, ""))) is not None or not rows:
        return chosen
    return fullest_revision(next(iter(rows.values())).name)


def fullest_revision(name: str) -> StudyRow:
    """Return, of the scored studies of this name, the one in which most prompts were scored."""
    return fullest_study(workspace(), [row for row in scored_studies() if row.name == name])


def show_study(digest: str) -> None:
    """Have pages speak of a study from now on."""
    st.session_state[STUDY] = digest


def scored_studies() -> tuple[StudyRow, ...]:
    """Return the studies that have scores, the one that was worked on last first."""
    ws = workspace()
    return _scored_studies(str(ws.home.path), _stamp(ws))


def ranking_view(
    study: str, asked: RankingFilters, page: int, size: int, coverage: Coverage, show_test: bool
) -> RankingPage:
    """Return one page of the ranking, read anew once the bank has changed."""
    ws = workspace()
    return _ranking(str(ws.home.path), _stamp(ws), study, asked, page, size, coverage, show_test)


def means_of(prompts: Sequence[str]) -> dict[str, float]:
    """Return prompt -> mean over the sites of the study that pages speak of, where all of them scored it.

    What this revision of the study did not score has its mean of the newest other revision that did.
    """
    ws, study = workspace(), study_shown()
    if study is None:
        return {}
    others = [row.digest for row in scored_studies() if row.name == study.name and row.digest != study.digest]
    return _means(str(ws.home.path), _stamp(ws), (study.digest, *others[:MAX_REVISIONS]), tuple(prompts))


def prompts_passing(wanted: Filter, limit: int, offset: int = 0) -> PromptPage:
    """Return a page of the prompts that a filter lets through, the newest first, read anew once the bank changed."""
    ws = workspace()
    return _prompts_passing(str(ws.home.path), _stamp(ws), wanted, limit, offset)


def newest_prompts(limit: int, kind: str | None = None) -> tuple[PromptRow, ...]:
    """Return the prompts that came last, the newest first, read anew once the bank has changed."""
    ws = workspace()
    return _newest_prompts(str(ws.home.path), _stamp(ws), limit, kind)


def packs_view() -> tuple[PackHere, ...]:
    """Return the packs of shared prompts of this home, read anew once a file of them has changed."""
    ws = workspace()
    return _packs(str(ws.home.path), pack_files(ws.home))


def provenance_view(prompt: str) -> Provenance:
    """Return where a prompt comes from, read anew once the bank has changed."""
    ws = workspace()
    return _provenance(str(ws.home.path), _stamp(ws), prompt)


def bank_stamp() -> tuple[object, ...]:
    """Return what changes whenever the bank does, or another bank is opened: for caches of what is made of it."""
    ws = workspace()
    return (str(ws.home.path), *_stamp(ws))


def full_row(prompt: str) -> LeaderRow | None:
    """Return what one prompt scored in the study that pages speak of, None where no site scored it."""
    ws, study = workspace(), study_shown()
    if study is None:
        return None
    return ranked_row(ws, study.digest, prompt, _contenders(str(ws.home.path), _stamp(ws), study.digest))


def ledger_views() -> tuple[LedgerView, ...]:
    """Return the ledgers of this machine's sites, each read and checked anew once its file has changed."""
    found = []
    for site, path in ledger_files(workspace().home):
        state = path.stat()
        found.append(_ledger(site, str(path), (state.st_size, state.st_mtime_ns, state.st_ino)))
    return tuple(found)


def compare_view(prompts: Sequence[str]) -> CompareView:
    """Return what the Compare page draws, made anew once the bank has changed."""
    ws = workspace()
    return _compare(str(ws.home.path), _stamp(ws), tuple(prompts))


def map_view(space: str, method: str, study: str | None) -> MapView | None:
    """Return what the Map page draws, made anew once the bank has changed; None where the map was not made yet."""
    ws = workspace()
    return _map(str(ws.home.path), _stamp(ws), space, method, study) or map_of(ws, space, method, study)


def prompt_titles() -> dict[str, str]:
    """Return what every prompt of the bank is called, by id, the newest first."""
    ws = workspace()
    return _titles(str(ws.home.path), _stamp(ws))


def guarded(draw: Callable[P, None]) -> Callable[P, None]:
    """Wrap a page or a fragment: what goes wrong in it is told in a sentence, with a button if one helps."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            draw(*args, **kwargs)
        except Exception as error:  # the last line of defence: the visitor sees a sentence, the log the trace
            explain(error)

    return drawn


def _logs() -> str:
    try:
        return str(default_home() / "logs")
    except FedPromptError:  # this user has no home directory
        return "the home folder"


def explain(error: Exception) -> None:
    """Draw an error as a sentence that says what to do next, with its button where there is one."""
    if not isinstance(error, FedPromptError):
        log.error("a page failed\n%s", Traces().formatException((type(error), error, error.__traceback__)))
        named("error_unforeseen").error(
            f"This page could not be shown. Try again. If the error remains, see the logs in {plain(_logs())}.",
            title="Something went wrong",
            icon=":material/error:",
        )
        st.button("Try again", key="error_again", icon=":material/refresh:")
        return
    named(f"error_{error.code}").error(plain(sentence(str(error))), icon=":material/error:")
    key = f"error_{crc32(str(error).encode()):08x}"
    if isinstance(error, AssetError) or error.code.startswith("asset"):  # of a job's error the code alone is known
        offer_assets(key)
    elif isinstance(error, BankError | JobError):
        st.button("Try again", key=key, icon=":material/refresh:")


def offer_assets(key: str) -> None:
    """Draw the button that fetches what is missing of the model and the texts."""
    st.button("Download the model and the texts", key=key, icon=":material/download:", on_click=fetch_assets)


@guarded
def fetch_assets() -> None:
    """Fetch the model and the texts in a job."""
    submit(workspace(), "assets", {})


def _stamp(ws: Workspace) -> tuple[tuple[int, int], ...]:
    """Return what changes with every write to the bank but those of jobs: a search is a job, and changes nothing."""
    return ws.bank.stamp(of_jobs=False)


@st.cache_resource(max_entries=2, show_spinner=False)
def _open(home: str) -> Workspace:
    return open_workspace(Path(home))


@st.cache_resource(max_entries=2, show_spinner=False)
def _overview(home: str, stamp: tuple[tuple[int, int], ...]) -> OverviewView:
    return overview(_open(home))


@st.cache_resource(max_entries=2, show_spinner=False)
def _scored_studies(home: str, stamp: tuple[tuple[int, int], ...]) -> tuple[StudyRow, ...]:
    return _open(home).bank.scored_studies()


@st.cache_resource(max_entries=2, show_spinner=False)
def _recent(home: str, stamp: tuple[tuple[int, int], ...], at: datetime) -> Recent:
    return recent(_open(home), at)


@st.cache_resource(max_entries=2, show_spinner=False)
def _study_bests(home: str, stamp: tuple[tuple[int, int], ...]) -> tuple[StudyBest, ...]:
    return bests_of_studies(_open(home))


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs={RankingFilters: repr})
def _ranking(
    home: str,
    stamp: tuple[tuple[int, int], ...],
    study: str,
    asked: RankingFilters,
    page: int,
    size: int,
    coverage: Coverage,
    show_test: bool,
) -> RankingPage:
    return ranking_page(
        _open(home),
        asked.filter(study),
        page=page,
        size=size,
        order=asked.order,
        coverage=coverage,
        show_test=show_test,
        rivals=_contenders(home, stamp, study),
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def _contenders(home: str, stamp: tuple[tuple[int, int], ...], study: str) -> Contenders:
    return contenders(_open(home), study)


@st.cache_resource(max_entries=64, show_spinner=False)
def _ledger(site: str, path: str, stamp: tuple[int, int, int]) -> LedgerView:
    return read_ledger(site, Path(path))


@st.cache_resource(max_entries=4, show_spinner=False)
def _map(home: str, stamp: tuple[tuple[int, int], ...], space: str, method: str, study: str | None) -> MapView | None:
    return map_of(_open(home), space, method, study)


@st.cache_resource(max_entries=8, show_spinner=False)
def _compare(home: str, stamp: tuple[tuple[int, int], ...], prompts: tuple[str, ...]) -> CompareView:
    return compare(_open(home), prompts)


@st.cache_resource(max_entries=8, show_spinner=False)
def _means(
    home: str, stamp: tuple[tuple[int, int], ...], studies: tuple[str, ...], prompts: tuple[str, ...]
) -> dict[str, float]:
    return means_of_prompts(_open(home), studies, prompts)


@st.cache_resource(max_entries=4, show_spinner=False)
def _newest_prompts(
    home: str, stamp: tuple[tuple[int, int], ...], limit: int, kind: str | None
) -> tuple[PromptRow, ...]:
    return _open(home).bank.prompts(kind=kind, limit=limit, newest=True)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs={Filter: repr})
def _prompts_passing(
    home: str, stamp: tuple[tuple[int, int], ...], wanted: Filter, limit: int, offset: int
) -> PromptPage:
    return _open(home).bank.prompts_passing(wanted, limit=limit, offset=offset)


@st.cache_resource(max_entries=2, show_spinner=False)
def _packs(home: str, files: tuple[tuple[str, int, int], ...]) -> tuple[PackHere, ...]:
    return packs_here(_open(home))


@st.cache_resource(max_entries=32, show_spinner=False)
def _provenance(home: str, stamp: tuple[tuple[int, int], ...], prompt: str) -> Provenance:
    return provenance(_open(home), prompt)


@st.cache_resource(max_entries=2, show_spinner=False)
def _titles(home: str, stamp: tuple[tuple[int, int], ...]) -> dict[str, str]:
    return titles(_open(home).bank.prompts(limit=MAX_TITLES, newest=True))
