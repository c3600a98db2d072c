"""Leaderboard: every prompt, ranked on validation cases, a page at a time."""

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.display.promise import draw_promise
from app.panels.ranking.folding import ask_fold
from app.panels.ranking.ranking import MORE, column_settings, heated, ranking_frame
from app.panels.ranking.ranking_filters import ask_columns, ask_filters, ask_page, ask_test
from app.panels.ranking.ranking_table import draw_table
from app.panels.studies.study_choice import ask_study
from app.session import guarded, ranking_view, workspace
from fedprompt.workspace.ranking.ranking_page import RankingFilters
from fedprompt.workspace.results.promised import promised

PAGE = 50


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Leaderboard")
    top = st.container(horizontal=True, vertical_alignment="bottom")
    with top:
        study = ask_study("leaderboard")
    first = None if study is None else ranking_view(study.digest, RankingFilters(), 0, PAGE, "any", False)
    if study is None or first is None or not first.total:
        named("leaderboard_no_scores").info(
            "Prompts appear here once sites have scored them. Start the demo on the Overview page, or score "
            "your own prompts on the New study page.",
            title="No scores yet",
            icon=":material/hourglass_empty:",
        )
        return
    everything = ranking_view(study.digest, RankingFilters(), 0, PAGE, "full", False)
    sites = everything.sites or first.sites
    many = f"{everything.total:,} prompt{'' if everything.total == 1 else 's'}"
    where = "one site" if len(sites) == 1 else f"all {len(sites)} sites"
    top.caption(
        f"{plain(study.name)} · {many} scored at {where} · ranked by each site's newest score on validation cases"
    )
    draw_promise(promised(workspace().bank, study.digest), "leaderboard")
    asked = ask_filters(sites)
    with st.container(horizontal=True, vertical_alignment="center"):
        more = ask_columns(MORE)
        fold = ask_fold("leaderboard")
        test = ask_test(everything.looks)
    passing = ranking_view(study.digest, asked, 0, PAGE, "full", test).total
    place = ask_page("leaderboard", (study.digest, asked), passing, PAGE)
    view = ranking_view(study.digest, asked, place, PAGE, "full", test)
    rest = ranking_view(study.digest, asked, 0, PAGE, "partial", False)
    if not everything.total:
        named("leaderboard_none_everywhere").info(
            "No prompt has been scored at every site yet.", icon=":material/hourglass_empty:"
        )
    elif not view.total:
        named("leaderboard_none_passes").info(
            "No prompt matches these filters. Remove one of them.", icon=":material/filter_alt_off:"
        )
    else:
        draw_table(
            study.digest, asked, view, place * PAGE, test=test, more=more, total=view.total + rest.total, fold=fold
        )
    if rest.total:
        st.header("Not scored at every site")
        first_of = f" Showing the first {PAGE} of {rest.total:,}." if rest.total > PAGE else ""
        st.caption(
            "These prompts have no rank: a mean over fewer sites is not comparable. A dash means no score at "
            f"that site.{first_of}"
        )
        frame = ranking_frame(rest, 0, fold=fold).drop(
            columns=["place", "mean", "interval", "worst site", "standing", "best with"]
        )
        st.dataframe(
            heated(frame, rest.sites),
            hide_index=True,
            placeholder="\N{EM DASH}",
            column_config=column_settings(rest.sites),
            alt="Prompts without a score at every site",
        )


draw()
