"""What work on a chat model costs, and which servers and judges this machine has."""
