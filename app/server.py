"""Streamlit's server, which begins to listen once it has read what pages are made of: the first visitor need not wait.

``python -m app.server run app/main.py ...`` is ``streamlit run app/main.py ...`` otherwise.
"""

import gc
from importlib import import_module
from pkgutil import iter_modules

__all__ = ["main"]


def main() -> None:
    """Read the panels and what they draw with, and hand over to Streamlit's own command line."""
    import altair  # noqa: F401  (Streamlit reads these where a chart or a table is drawn first)
    import pandas  # noqa: F401

    import app.panels

    for module in iter_modules(app.panels.__path__, "app.panels."):
        import_module(module.name)
    import_module("streamlit.web.bootstrap")
    from streamlit.web.cli import main as streamlit

    # Streamlit collects garbage after every run of a page, looking at every object there is: a quarter of a million
    # come from what was read until here, and looking took longer than most pages. They stay, so they are left out.
    gc.collect()
    gc.freeze()
    streamlit()


if __name__ == "__main__":
    main()
