"""The soak: what a week of faults and ten minutes over real sockets leave behind, which is to be nothing.

`python -m tests.soak week` runs `week` in virtual time, `python -m tests.soak minutes` runs `minutes` against
the lab's servers in a process of their own. Both end each day or minute without faults, take stock then
(`gauges`) and compare the second stock with the last (`growth`).
"""
