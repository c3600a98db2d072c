"""Map: all prompts in two dimensions, near where they mean alike."""

import streamlit as st

from app.display.named import named
from app.display.plain import percent, plain
from app.panels.map.map_chart import COLOURS, draw_map
from app.panels.map.map_chosen import draw_chosen
from app.panels.ranking.meaning import ask_meaning
from app.panels.runs.running import run_quick
from app.panels.studies.study_choice import ask_study
from app.session import explain, guarded, map_view, prompt_titles, workspace
from fedprompt.errors import AssetError
from fedprompt.workspace.search.finding import can_search
from fedprompt.workspace.search.map_points import MOST_POINTS, Box, MapView
from fedprompt.workspace.search.prompt_map import LEAST, MOST_TSNE, TEXTS, map_sizes

METHODS = {"pca": "PCA", "tsne": "t-SNE"}


@guarded
def draw() -> None:
    """Draw the page."""
    st.title("Map")
    st.caption(
        "Each point is a prompt. Templates with similar meanings are close together, and so are soft prompts "
        "of one model."
    )
    sizes = map_sizes(workspace())
    if max(sizes.values()) < LEAST:
        named("map_too_few").info(
            f"A map needs {LEAST} prompts of one kind; the bank has {sum(sizes.values())}. Start the demo on "
            "the Overview page, write prompts on the New study page, or import some on the Bank page.",
            title="Too few prompts for a map",
            icon=":material/bubble_chart:",
        )
        return
    space, method, colour, study = ask(sizes)
    near = ask_meaning("map") if space == TEXTS else None
    view = made(space, method, study)
    if view is None:
        return
    if view.distinct < LEAST or len(view.ids) < LEAST:
        named("map_too_alike").info(
            f"These prompts are too similar: a map needs {LEAST} different ones. Write or tune others, or "
            "choose another map.",
            icon=":material/bubble_chart:",
        )
        return
    draw_view(view, colour, study, near or {}, f"{space}_{method}")


def ask(sizes: dict[str, int]) -> tuple[str, str, str, str | None]:
    """Draw what is asked; return the map, the method, the colour, and the study whose scores are shown."""
    models = {model: f"soft prompts of model {model.removeprefix('sha256:')[:8]}" for model in sizes if model != TEXTS}
    spaces = {key: words for key, words in ({TEXTS: "templates"} | models).items() if sizes[key] >= LEAST}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        space = st.selectbox(
            "Prompts", list(spaces), format_func=spaces.__getitem__, key="map_space", width=260, bind="query-params"
        )
        study = ask_study("map", "Scores of")
        colour = st.segmented_control(
            "Colour",
            list(COLOURS),
            format_func=COLOURS.__getitem__,
            default="score",
            key="map_colour",
            required=True,
            bind="query-params",
        )
        method = st.segmented_control(
            "Layout",
            list(METHODS),
            format_func=METHODS.__getitem__,
            default="pca",
            key="map_method",
            required=True,
            bind="query-params",
            disabled=sizes[space] > MOST_TSNE,
            help=f"PCA keeps distances: far apart means different. t-SNE (up to {MOST_TSNE:,} prompts) keeps "
            "neighbours together; distances between groups have no meaning.",
        )
    return space, method if sizes[space] <= MOST_TSNE else "pca", colour, study.digest if study else None


def made(space: str, method: str, study: str | None) -> MapView | None:
    """Return the map of the bank as it is now; computed in a job, with its progress, where it was not yet."""
    view = map_view(space, method, study)
    if view is None and space == TEXTS and not can_search(workspace().home):
        explain(AssetError("the map of templates needs the sentence encoder, which is not installed"))
    elif view is None:
        run_quick(workspace(), "map", {"space": space, "method": method}, "Computing the map")
        view = map_view(space, method, study)
    return view


def draw_view(view: MapView, colour: str, study: str | None, near: dict[str, float], name: str) -> None:
    """Draw the map, what was found on it, and the prompts of the box that was drawn."""
    like = st.session_state.get("map_like_found")
    if like is not None and like[0] in view.ids and not near:
        near = like[1]
        with st.container(horizontal=True, vertical_alignment="center"):
            named("map_ringed", narrow=True).markdown(
                f"Highlighted: the {len(near)} most similar to {plain(prompt_titles().get(like[0], like[0][:11]))}"
            )
            if st.button("Clear", key="map_clear", icon=":material/close:"):
                del st.session_state["map_like_found"]
                st.rerun()
    zoomed = st.session_state.get("map_zoom")
    zoom: Box | None = zoomed[1] if zoomed is not None and zoomed[0] == name else None
    drawn = draw_map(view, colour, study, zoom, near, f"map_chart_{name}_{hash(zoom)}")
    shown = view.inside(zoom)
    inside = shown if drawn is None else drawn.places
    box = None if drawn is None or len(inside) < 2 else drawn.box
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Zoom in", key="map_in", icon=":material/zoom_in:", disabled=box is None):
            st.session_state["map_zoom"] = (name, box)
            st.rerun()
        if st.button("Whole map", key="map_out", icon=":material/zoom_out_map:", disabled=zoom is None):
            del st.session_state["map_zoom"]
            st.rerun()
        told = f"{len(shown):,} prompts. Draw a line or a box around some, or click one."
        words = told if drawn is None else f"{len(inside):,} of {len(shown):,} prompts selected."
        if view.shares is not None:
            words += f" The two components explain {percent(sum(view.shares))} of the variance."
        if len(shown) > MOST_POINTS:
            words += (
                " With this many, cells show counts and only the best are points. Zoom in to see all points of a part."
            )
        named("map_in_cells" if len(shown) > MOST_POINTS else "map_shown", narrow=True).caption(words)
    draw_chosen(view, inside, near)


draw()
