"""What a peer sends reaches no pickle and no class of its own choice: NVFLARE's decoders take a closed list of types.

The list is NVFLARE's (``BUILTIN_TYPES``); here it is held that our two sides add nothing to it.
"""

import importlib
import inspect
import pickle
from typing import Any

import pytest

pytestmark = pytest.mark.whole  # seconds of imports


@pytest.fixture(scope="module")
def fobs() -> Any:
    """NVFLARE's decoders as they are in a job of ours."""
    pytest.importorskip("nvflare")
    from nvflare.apis.utils.decomposers import flare_decomposers
    from nvflare.app_common.decomposers import common_decomposers

    flare_decomposers.register()
    common_decomposers.register()
    for side in ("hub_side", "site_side"):
        importlib.import_module(f"fedprompt.federation.transports.flare.{side}")
    return importlib.import_module("nvflare.fuel.utils.fobs.fobs")


def _sent(fobs: Any, type_name: str, data: object, decomposer: str | None) -> bytes:
    msgpack = importlib.import_module("msgpack")
    body = {fobs.FOBS_TYPE: type_name, fobs.FOBS_DATA: data, fobs.FOBS_DECOMPOSER: decomposer}
    return bytes(msgpack.packb(body))


GENERIC = "nvflare.fuel.utils.fobs.decomposer.DataClassDecomposer"


@pytest.mark.parametrize(
    ("type_name", "decomposer"),
    [
        ("subprocess.Popen", GENERIC),
        ("os._wrap_close", GENERIC),
        ("builtins.eval", None),
        ("pickle.Unpickler", GENERIC),
        ("fedprompt.federation.transports.flare.transport.FlareTransport", GENERIC),
        ("torch.Tensor", "nvflare.app_opt.pt.decomposers.TensorDecomposer"),
        ("argparse.Namespace", "subprocess.Popen"),
        ("numpy.ndarray", "pickle.Unpickler"),
        ("signal.Signals", "nvflare.fuel.utils.fobs.decomposer.EnumTypeDecomposer"),
    ],
)
def test_a_peer_cannot_name_a_class_to_be_made(fobs: Any, type_name: str, decomposer: str | None) -> None:
    if type_name in fobs._decomposers:  # a type that is registered is read by its own decoder, whatever is named
        assert "import pickle" not in inspect.getsource(type(fobs._decomposers[type_name]))
        return
    with pytest.raises(ValueError, match=r"is not allowed|must be registered"):
        fobs.deserialize(_sent(fobs, type_name, {"a": 1}, decomposer))


class _Trap:
    opened = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _spring, ()


def _spring() -> None:
    _Trap.opened = True


def test_a_pickle_is_never_opened(fobs: Any) -> None:
    import numpy as np

    trap = pickle.dumps(_Trap())
    bomb = np.array([_Trap()], dtype=object)
    with pytest.raises(Exception):  # noqa: B017  # whatever NVFLARE raises for what it does not understand
        fobs.deserialize(trap)
    with pytest.raises(ValueError, match="allow_pickle"):
        fobs._decomposers["numpy.ndarray"].native_recompose(_saved(bomb))
    assert not _Trap.opened


def _saved(array: Any) -> bytes:
    import io

    import numpy as np

    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def test_no_decoder_of_ours_is_registered_and_none_uses_pickle(fobs: Any) -> None:
    found = {type(one) for one in fobs._decomposers.values()}
    assert not {one for one in found if one.__module__.startswith("fedprompt")}
    for one in found:
        source = inspect.getsource(importlib.import_module(one.__module__))
        assert "import pickle" not in source and "cloudpickle" not in source and "torch.load" not in source
