"""What a site with few labelled cases makes at home of the prompts that others share: arrays in, arrays out.

The members of a mixture answer each case with log-probabilities over the labels; what is learnt at home is a weight
for each member and a number for each label. ``fitting.fit`` is the one composition of it: the ``adapt`` command, a
federation that measures what joining is worth and the benchmark all call it.

Words: ``table`` is [cases, labels] float64, log-probabilities that are normalised over the labels; ``tables`` is
[members, cases, labels]; ``answers`` is [cases] int64. Invariant: every fit starts at a fixed point, takes a bounded
number of steps and draws nothing, so that the same input gives the same output.
"""
