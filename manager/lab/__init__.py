"""Small real servers on loopback with faults on request, for the demo and the tests.

    async with Lab() as lab:
        connections = lab.connections()
        lab.ami["lab"].fault = Fault.HANG

`ami`, `sip` and `websocket` hold a server each, `server` what they share, `faults` what can be asked of them,
`lab` puts them together, `thread` gives them a loop of their own, and `story` is what the demo does to them.
"""
