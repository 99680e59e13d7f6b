"""The service: a manager that goes on when nobody looks, and the ways to speak to it.

`protocol` says how a message looks, `methods` what can be asked and `rights` by whom, `peers` serves one
client, `server` all of them, `news` what they wait for. `entrances` are the ways in: `credentials` for the
Unix socket, `network` for other machines. `remote` is the other end, `composite` several of those as one;
`run` is the life of the service, `systemd` what its parent hears of it.
"""
