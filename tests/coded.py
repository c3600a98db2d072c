"""What a test asks of an error: its code, which stays while its sentence may be written better."""

from collections.abc import Callable

__all__ = ["coded"]


def coded(*codes: str) -> Callable[[BaseException], bool]:
    """Return a ``check`` for ``pytest.raises``: the error has one of these codes."""

    def check(error: BaseException) -> bool:
        found = getattr(error, "code", None)
        assert found in codes, f"the code is {found!r} and not {' or '.join(codes)}: {error}"
        return True

    return check
