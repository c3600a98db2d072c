"""Sites on their own machines, carried by NVFLARE 2.9 over mutual TLS. The rest of fedprompt does not know this folder.

NVFLARE carries opaque bytes both ways and nothing else. On a site its job process is a relay to the worker, which is
another process and outlives jobs; on the hub it is a relay to whoever runs the rounds. Both relays speak over a socket
file that only the owner can reach. What a relay does when something breaks is simple because a site answers a task that
it was asked before with the same bytes: ask again.
"""
