"""The parts of the benchmark of federated pre-training."""
