"""Registrations at a SIP registrar: the driver, and the parts without IO that it is made of.

`address`, `message`, `framing` and `digest` read and write what is on the wire; `transaction` and
`registration` decide; `lookup`, `transport`, `flow` and `session` touch the network; `driver` opens sessions.
"""
