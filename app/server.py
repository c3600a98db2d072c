"""Streamlit's server, which begins to listen once it has read what pages are made of: the first visitor need not wait.

``python -m app.server run app/main.py ...`` is ``streamlit run app/main.py ...`` otherwise.
"""

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
    from streamlit.web.cli import main as streamlit

    streamlit()


if __name__ == "__main__":
    main()
