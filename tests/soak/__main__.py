"""python -m tests.soak week | minutes [--connections N …]: prints a table; exits 1 if something has grown."""

from __future__ import annotations

import argparse
import dataclasses
import sys

from tests.soak import minutes, week

RUNS = {"week": week, "minutes": minutes}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    runs = parser.add_subparsers(dest="run", required=True)
    for name, module in RUNS.items():
        options = runs.add_parser(name, help=(module.__doc__ or "").partition("\n")[0])
        for field in dataclasses.fields(module.Scale):
            default = field.default
            options.add_argument(f"--{field.name}", type=type(default), default=default, help=f"{default}")
    given = vars(parser.parse_args(arguments))
    module = RUNS[given.pop("run")]
    faults = module.run(module.Scale(**given), lambda line: print(line, flush=True))
    for fault in faults:
        print(fault)
    print("FAILED" if faults else "nothing has grown")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
