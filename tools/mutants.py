"""Change one token of an exercise's right answer, at every place, and see which change no case
notices.

`python tools/mutants.py [ID …]` prints the changes that are called right. Each of them is another
form of the right answer, or there is a case missing; `tests/test_exercise_mutants.py` has the list.
"""

import ast
import copy
import sys
from collections.abc import Iterator

from a3c_lib.exercises.engine import registry
from a3c_lib.exercises.engine.cases import Answer, Exercise
from a3c_lib.exercises.engine.checking import trials
from a3c_lib.exercises.engine.mistakes import defined, source
from a3c_lib.exercises.engine.observing import isolated
from a3c_lib.exercises.engine.written import known_by_its_name

OTHER = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def mutants(answer: Answer) -> Iterator[tuple[str, Answer]]:
    """Every answer that differs in one token, with what its line was and what it is."""
    tree = ast.parse(source(answer))
    right = ast.unparse(tree)
    for number, place in enumerate(places(tree)):
        for other in replacements(_child(*place), tree):
            changed = copy.deepcopy(tree)
            _put(*list(places(changed))[number], other)
            wrong = ast.unparse(ast.fix_missing_locations(changed))
            if wrong != right:
                yield _difference(right, wrong), defined(wrong, answer)


def _difference(right: str, wrong: str) -> str:
    for before, after in zip(right.split("\n"), wrong.split("\n"), strict=False):
        if before != after:
            return f"{before.strip()} → {after.strip()}"
    return "the last lines are missing"


def survivors(exercise: Exercise) -> list[str]:
    """The changes of its right answer that every case calls right."""
    return [
        change
        for change, mutant in mutants(exercise.form or exercise.reference)
        if survives(exercise, mutant)
    ]


def survives(exercise: Exercise, mutant: Answer) -> bool:
    """Whether a changed answer is right in every case."""
    with isolated():
        cases = exercise.cases()
    with known_by_its_name(mutant):
        return all(each.difference is None for each in trials(exercise, mutant, cases))


# The tree


Place = tuple[ast.AST, str, int | None]  # a node, one of its fields, and where in it


def places(tree: ast.AST) -> Iterator[Place]:
    """Where something stands that can be changed: not in a signature, nor in an annotation."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if field in ("args", "returns", "annotation", "decorator_list", "bases") and isinstance(
                parent, ast.FunctionDef | ast.AnnAssign | ast.ClassDef | ast.arg | ast.arguments
            ):
                continue
            if isinstance(parent, ast.arguments):
                continue
            for index, _ in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(_child(parent, field, index), ast.AST):
                    yield parent, field, index


def replacements(node: ast.AST, tree: ast.AST) -> Iterator[ast.AST | None]:
    """What may stand in a node's place; None drops it."""
    match node:
        case ast.operator() | ast.cmpop() | ast.boolop() if type(node) in OTHER:
            yield OTHER[type(node)]()
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Call(func=ast.Attribute(value=value)) if not isinstance(value, ast.Name) or (
            value.id not in ("torch", "np", "math", "nn", "self")
        ):
            yield value
        case ast.keyword():
            yield None
        case ast.Name(id, ast.Load()):
            names = _parameters(tree)
            if id in names and len(names) > 1:
                yield ast.Name(names[(names.index(id) + 1) % len(names)], ast.Load())
    match node:
        case ast.Call(func, args, keywords) if len(args) > 1:
            yield ast.Call(func, [args[1], args[0], *args[2:]], keywords)
        case ast.Assign() | ast.AugAssign() | ast.AnnAssign() | ast.For() | ast.While() | ast.If():
            yield ast.Pass()
        case ast.Expr(ast.Call()):
            yield ast.Pass()


def _parameters(tree: ast.AST) -> list[str]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [arg.arg for arg in functions[0].args.args if arg.arg != "self"]


def _child(parent: ast.AST, field: str, index: int | None) -> ast.AST:
    value = getattr(parent, field)
    child: ast.AST = value if index is None else value[index]
    return child


def _put(parent: ast.AST, field: str, index: int | None, other: ast.AST | None) -> None:
    if index is None:
        setattr(parent, field, other)
    elif other is None:
        del getattr(parent, field)[index]
    else:
        getattr(parent, field)[index] = other


def main(ids: list[str]) -> int:
    """Print what survives, of these exercises or of all."""
    count = 0
    for exercise in registry.all_exercises():
        if not ids or exercise.id in ids:
            total = sum(1 for _ in mutants(exercise.form or exercise.reference))
            found = survivors(exercise)
            count += len(found)
            print(f"{exercise.id}: {len(found)} of {total} survive")
            for change in found:
                print(f"    {change}")
    return count


if __name__ == "__main__":
    main(sys.argv[1:])
