"""Arithmetic from text: an allow-list over the syntax tree, with bounds; nothing is evaluated."""

import ast
import operator
from collections.abc import Callable
from decimal import Decimal, DecimalException, localcontext
from warnings import catch_warnings, simplefilter

MAX_LENGTH = 200
MAX_DEPTH = 20
MAX_DIGITS = 30
MAX_EXPONENT = 64

_BINARY: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Decimal], Decimal]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}


def evaluate(expression: str) -> Decimal:
    """The value, to 30 digits; ValueError, in words, for all but plain arithmetic."""
    if len(expression) > MAX_LENGTH:
        raise ValueError(f"the expression is longer than {MAX_LENGTH} characters")
    if _nesting(expression) > MAX_DEPTH:
        raise ValueError(f"the expression is nested deeper than {MAX_DEPTH}")
    try:
        with catch_warnings():
            simplefilter("ignore")  # 1or 2, say, is refused below
            tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError("that is not an arithmetic expression") from error
    with localcontext() as context:
        context.prec = MAX_DIGITS
        context.Emax, context.Emin = MAX_EXPONENT, -MAX_EXPONENT
        try:
            return _value(tree.body, expression.strip(), MAX_LENGTH)
        except DecimalException as error:
            raise ValueError(f"that cannot be computed: {type(error).__name__}") from error


def _nesting(expression: str) -> int:
    deepest = depth = 0
    for letter in expression:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    return deepest


def _value(node: ast.expr, source: str, depth: int) -> Decimal:
    if not depth:
        raise ValueError("the expression is nested too deeply")
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _literal(ast.get_source_segment(source, node) or str(number))
        case ast.BinOp(left, op, right) if type(op) in _BINARY:
            sides = _value(left, source, depth - 1), _value(right, source, depth - 1)
            if isinstance(op, ast.Pow) and abs(sides[1]) > MAX_EXPONENT:
                raise ValueError(f"exponents go up to {MAX_EXPONENT}")
            return _BINARY[type(op)](*sides)
        case ast.UnaryOp(op, operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand, source, depth - 1))
        case _:
            raise ValueError("only numbers, + - * / % ** and parentheses are allowed")


def _literal(text: str) -> Decimal:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"numbers have up to {MAX_DIGITS} digits")
    try:
        return +Decimal(text)  # in the bounds of the context
    except DecimalException as error:
        raise ValueError(f"{text} is no decimal number") from error
