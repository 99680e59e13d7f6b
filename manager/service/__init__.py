"""The service: a manager that goes on when nobody looks, and the way to speak to it over a Unix socket.

`protocol` says how a message looks, `methods` what can be asked, `peers` serves one client, `server` all of
them, `remote` is the other end; `run` is the life of the service, `systemd` what its parent hears of it.
"""
