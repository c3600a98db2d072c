"""Sums that nobody sees apart: Bonawitz et al. 2017 (CCS, doi 10.1145/3133956.3133982), with signed keys and survivors.

Arrays in, arrays out; who carries the messages is elsewhere. ``keys`` makes and checks a site's keys, ``shares`` cuts
secrets, ``masks`` hides a vector, ``participant`` is one site's side step by step, ``sums`` the hub's.
"""
