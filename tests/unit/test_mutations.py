"""Each mutation of the engine still takes something out of it, and names a test that is there."""

from __future__ import annotations

import pytest

from tests.mutations import MUTATIONS, ROOT, TESTS, Mutation

NAMED = "\n".join(path.read_text() for path in sorted((ROOT / TESTS).glob("test_*.py")))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_it_fits_the_code_and_its_test_is_there(mutation: Mutation) -> None:
    code = (ROOT / "manager" / "engine" / mutation.file).read_text()
    assert code.count(mutation.old) == 1, "mend tests/mutations.py"
    assert mutation.old != mutation.new
    assert f"def {mutation.test}(" in NAMED


def test_each_has_a_name_of_its_own() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)
