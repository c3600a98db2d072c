# mypy: ignore-errors
"""Flower's side of ``benchmarks.aggregation_vs_flower``: its own strategies on the same updates, from its wire bytes.

Run as a file by a Python that has ``flwr``. What is timed is what its server does with replies: parse each protobuf
message, then ``Strategy.aggregate_train``. Its multi-Krum weighs the updates that it keeps by their cases, where
Blanchard et al. (and ours) take the plain mean; so there every reply claims one case, and both compute the same thing.
"""

import json
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as Proto
from flwr.serverapp.strategy import FedAvg, FedMedian, FedTrimmedAvg, MultiKrum
from flwr.supercore.task_identity import TaskIdentity
from measuring import measured


def main() -> None:
    """Print one JSON object: measurements, and the vectors that came out."""
    file, name, count, liars, repeats = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    logging.disable(logging.CRITICAL)
    TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1  # as within one of its server apps
    deltas = np.load(file, mmap_mode="r")[:count]
    cases = np.load(Path(file).with_name("cases.npy"))[:count]
    claimed = np.ones_like(cases) if name == "multi-krum" else cases
    wires = [wire(delta, int(n), place + 1) for place, (delta, n) in enumerate(zip(deltas, claimed, strict=True))]
    strategy = {
        "fedavg": lambda: FedAvg(),
        "median": lambda: FedMedian(),
        "trimmed-mean": lambda: FedTrimmedAvg(beta=liars / count),
        "multi-krum": lambda: MultiKrum(num_malicious_nodes=liars, num_nodes_to_select=count - liars - 2),
    }[name]()
    found: list[np.ndarray] = []

    def aggregate() -> None:
        replies = [message_from_proto(Proto.FromString(data)) for data in wires]
        arrays, _ = strategy.aggregate_train(1, replies)
        assert arrays is not None
        found.append(arrays["delta"].numpy())

    runs = [measured(aggregate) for _ in range(repeats)]
    np.save(Path(file).with_name(f"flower-{name}.npy"), found[-1])
    import flwr

    print(json.dumps({"runs": runs, "version": flwr.__version__, "wire": len(wires[0])}))


def wire(delta: np.ndarray, cases: int, node: int) -> bytes:
    """Return a reply as Flower sends it."""
    content = RecordDict(
        {
            "arrays": ArrayRecord({"delta": Array(np.ascontiguousarray(delta))}),
            "metrics": MetricRecord({"num-examples": cases, "loss": 0.5}),
        }
    )
    message = Message(content, dst_node_id=node, message_type="train")
    return bytes(message_to_proto(message).SerializeToString())


if __name__ == "__main__":
    main()
