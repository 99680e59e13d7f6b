"""The doctor: why a connection is not up, step by step, and what to do about it.

`examination` opens an endpoint once, as the manager would, and `trail` notes how far that comes; `rounds` has
every connection examined. `findings` says what a status and a history mean, `rivals` whether a second program
uses the same login. `report` is what all of them fill in.
"""

from __future__ import annotations

from manager.doctor.findings import findings, whole
from manager.doctor.report import Diagnosis, Examination, Finding, Report, Step, Topic
from manager.doctor.rounds import examine_all

__all__ = [
    "Diagnosis",
    "Examination",
    "Finding",
    "Report",
    "Step",
    "Topic",
    "examine_all",
    "findings",
    "whole",
]
