"""The statistics of scores.

At a site, over cases: bootstrap (a mean) | comparisons (pairs of prompts, McNemar or bootstrap, corrected by Holm) |
power (how many cases it takes). Over sites, from sums: intervals (Wilson) | clusters (grouped cases) | site_means
(bootstrap) | ranking (Beta draws) | beta_means (in closed form) | pairs (McNemar, paired differences) | pooled_pairs
(two prompts, all of these) | holm | meta_analysis (random effects) | classification (F1, balanced accuracy,
calibration). Of preferences: bradley_terry.
"""
