"""The worker's side: private data, the verbs it answers, the egress gate and the ledger."""
