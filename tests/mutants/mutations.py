"""Every small mistake that can be made in a file, as functions of its syntax tree.

Own code, because it is little: each mutant is run in a process of its own by the tests of its package, reactor and threads too.
"""

import ast
from collections.abc import Iterator
from copy import deepcopy

from attrs import frozen

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


_NUMBERS = (ast.Constant, ast.BinOp, ast.operator, ast.Tuple, ast.Load)


@frozen
class Mutant:
    """One mistake in one file.

    Attributes:
        number: of the node in the order of ``ast.walk``, and of the variant there.
        what: the mistake, for people.
    """

    line: int
    number: tuple[int, int]
    what: str


def mutants(tree: ast.Module) -> list[Mutant]:
    """All of a file's; none in what only types, words, declarations and chosen sizes are."""
    found, silent = [], _silent(tree)
    for index, node in enumerate(ast.walk(tree)):
        for variant, (what, _) in enumerate(() if node in silent else _variants(node)):
            found.append(Mutant(getattr(node, "lineno", 0), (index, variant), what))
    return found


def _silent(tree: ast.Module) -> set[ast.AST]:
    """What may be otherwise without being a mistake.

    How attrs makes a class (``eq``, ``init``); sizes and times at the top of a file, which a test could only repeat; False, 0 and
    nothing as a result, which are the same to who asks whether; the refusal of a method that nobody calls.
    """
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.keyword("eq" | "init" | "kw_only" | "repr" | "frozen" | "daemon", value):
                found.add(value)
            case ast.Return(ast.Constant(value=value)) if not value:
                found.add(node)
            case ast.Raise(ast.Name("NotImplementedError")):
                found.add(node)
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and all(isinstance(node, _NUMBERS) for node in ast.walk(statement.value)):
            found.update(ast.walk(statement.value))
    return found


def mutated(tree: ast.Module, mutant: Mutant) -> str:
    """The file with this mistake in it."""
    copy = deepcopy(tree)
    node = list(ast.walk(copy))[mutant.number[0]]
    _, replacement = list(_variants(node))[mutant.number[1]]
    if isinstance(node, ast.stmt):
        return ast.unparse(_Replacing(node, replacement).visit(copy))
    node.__dict__.update(replacement.__dict__)
    node.__class__ = replacement.__class__  # another node in the same place
    return ast.unparse(copy)


def _variants(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:  # noqa: C901 - a table of patterns
    """The mistakes at one node, each with what stands there then."""
    match node:
        case ast.Compare(left, [operator], rest) if type(operator) in _COMPARISONS:
            other = _COMPARISONS[type(operator)]
            yield f"{_text(operator)} → {other.__name__}", ast.Compare(left, [other()], rest)
        case ast.BinOp(left, operator, right) if type(operator) in _ARITHMETIC and not _is_type(node):
            other_operator = _ARITHMETIC[type(operator)]
            yield f"{_text(operator)} → {other_operator.__name__}", ast.BinOp(left, other_operator(), right)
        case ast.BoolOp(operator, values):
            yield "and ↔ or", ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not(), operand):
            yield "not → nothing", operand
        case ast.Constant(value=bool() as value):
            yield f"{value} → {not value}", ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield f"{value} → {value + 1}", ast.Constant(value + 1)
        case ast.Expr(ast.Call() | ast.Await()):
            yield f"without {ast.unparse(node)[:60]}", ast.Pass()
        case ast.Return(value) if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
            yield "return None", ast.Return(ast.Constant(None))
        case ast.Raise():
            yield "without raise", ast.Pass()
        case ast.If(test, body, rest) if not rest:
            yield f"always {ast.unparse(test)[:60]}", ast.If(ast.Constant(True), body, rest)  # noqa: FBT003 - a node's value
        case ast.AugAssign(target, operator, value) if type(operator) in _ARITHMETIC:
            yield "the other way", ast.AugAssign(target, _ARITHMETIC[type(operator)](), value)


def _is_type(node: ast.BinOp) -> bool:
    """``X | None`` is no arithmetic."""
    sides = (node.left, node.right)
    return any(isinstance(side, ast.Constant) and (side.value is None or isinstance(side.value, str)) for side in sides)


def _text(node: ast.AST) -> str:
    return type(node).__name__


class _Replacing(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """Put the other statement in its place."""
        return ast.copy_location(self._new, node) if node is self._old else self.generic_visit(node)
