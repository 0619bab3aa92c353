"""Mutants are valid programs that differ from the original, one mistake each."""

import ast

from tests.mutants.mutations import mutants, mutated
from tests.sources import python_files

SOURCE = '''
def f(a, b):
    """Words stay."""
    if not a and b < 3:
        g()
        raise ValueError
    return a + b
'''


def test_each_kind_of_mistake() -> None:
    """All that can be made in a small function."""
    tree = ast.parse(SOURCE)
    found = {mutated(tree, mutant) for mutant in mutants(tree)}
    assert len(found) == len(mutants(tree)) == 9
    for text in ("b <= 3", "b < 4", "if a and", "not a or", "return a - b", "return None", "if True", "pass"):
        assert any(text in program for program in found), text


QUIET = """
from attrs import define
SIZE = 1 << 20
FLAGS = A | B

@define(eq=False)
class C:
    x: int = field(default=1, init=False, kw_only=True)

    def f(self):
        return False

    def g(self):
        raise NotImplementedError
"""


def test_what_is_no_mistake() -> None:
    """Only the flags, the default, and the False that is turned can be wrong here."""
    assert {"BitOr → BitAnd", "1 → 2", "False → True"} == {mutant.what for mutant in mutants(ast.parse(QUIET))}


def test_every_mutant_is_a_program() -> None:
    """Of the files that are mutated, too, and none is the original."""
    for path in python_files("regproxy/store")[:4]:
        tree = ast.parse(path.read_text())
        original = ast.unparse(tree)
        for mutant in mutants(tree):
            program = mutated(tree, mutant)
            ast.parse(program)
            assert program != original
