"""The text of a web page without its menus and scripts, by Resiliparse (Bevendorff et al. 2018)."""

from fedprompt.errors import DataError
from fedprompt.extras import pip_command

__all__ = ["html_text"]


def html_text(page: str) -> str:
    """Return the main content of a page as plain text; all its text where no main content is found.

    Raises:
        DataError: the extractor is not installed.
    """
    try:
        from resiliparse.extract.html2text import extract_plain_text
    except ImportError as error:
        raise DataError(
            f"reading HTML needs a package that is not installed; run '{pip_command('html')}'", code="package-missing"
        ) from error
    found = str(extract_plain_text(page, main_content=True, alt_texts=False, noscript=False))
    return found if found.strip() else str(extract_plain_text(page, main_content=False, alt_texts=False))
