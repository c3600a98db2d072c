import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.messages import messages

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("[a-z]*.py"))


def failing(kind: str, message: str) -> None:
    import fedprompt.errors
    from app.session import guarded

    @guarded
    def page() -> None:
        raise getattr(fedprompt.errors, kind, RuntimeError)(message)

    page()


def run(kind: str, message: str) -> AppTest:
    at = AppTest.from_function(failing, args=(kind, message), default_timeout=30).run()
    assert not at.exception
    return at


@pytest.mark.usefixtures("home")
def test_an_error_of_ours_is_its_own_sentence_with_markup_kept_as_text() -> None:
    at = run("DataError", "mine.csv line 2: `a` is **odd**")
    assert at.error[0].value == r"mine.csv line 2\: \`a\` is \*\*odd\*\*."
    assert list(messages(at)) == ["error_data"]
    assert not at.button


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("kind", "code"), [("AssetError", "asset"), ("BankError", "bank"), ("JobError", "job")])
def test_an_error_that_a_button_helps_against_has_it(kind: str, code: str) -> None:
    at = run(kind, "the thing is odd")
    assert messages(at) == {f"error_{code}": "The thing is odd."}
    assert [str(button.key)[:6] for button in at.button] == ["error_"]


@pytest.mark.usefixtures("home")
def test_any_other_error_shows_no_trace_and_names_the_logs_which_have_it_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    at = run("RuntimeError", "secret internals")
    assert "secret" not in at.error[0].value
    assert "logs" in at.error[0].value
    assert "RuntimeError" in caplog.text
    assert "secret" not in "\n".join(record.getMessage() for record in caplog.records)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_alone(page: str) -> None:
    at = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=30).run()
    assert not at.exception
    assert not at.error
    assert at.title


@pytest.mark.usefixtures("home")
def test_a_bank_that_cannot_be_opened_is_a_sentence_on_every_page(home: Path) -> None:
    home.mkdir()
    (home / "bank.db").write_bytes(b"this is no database, and never was one" * 40)
    for page in PAGES:
        at = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=30).run()
        assert not at.exception
        assert at.error


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("role", "said"), [("hub", "Hub"), ("site", "Site"), ("nonsense", "Standalone")])
def test_the_sidebar_names_the_machine_its_home_and_its_role(
    role: str, said: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setenv("FEDPROMPT_ROLE", role)
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=30).run()
    shown = "\n".join(str(e.value) for kind in (at.sidebar.markdown, at.sidebar.caption) for e in kind)
    assert socket.gethostname().split(".")[0].split("-")[0] in shown.replace("\\", "")
    assert f"badge[{said}]" in shown
    assert home.name in shown


@pytest.mark.slow  # a process of its own that runs every page
def test_no_page_loads_torch_or_what_is_built_on_it(finished_demo: Path) -> None:
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
at = AppTest.from_file({str(ROOT / "app" / "main.py")!r}, default_timeout=60).run()
for page in {PAGES!r}:
    at.switch_page(f"../pages/{{page}}.py").run()
    assert not at.exception and at.title, page
heavy = {{"torch", "transformers", "sentence_transformers", "langchain_core", "langchain", "faiss", "nvflare"}}
print(sorted(heavy & set(sys.modules)))
"""
    environment = {"FEDPROMPT_HOME": str(finished_demo), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
