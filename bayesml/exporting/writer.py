"""Functions of arrays as statements of Python: what JAX traces of them is printed.

A function is traced with ``jax.make_jaxpr``, and each operation becomes an expression of ``jax.numpy`` or ``jax.lax``.
An expression that is used once stands where it is used, others get a name. What is broadcast by NumPy's rules anyway is
not broadcast in the text. ``primitives.py`` has a function for each operation.
"""

from __future__ import annotations

import linecache
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import jax
import numpy as np
from jax.extend.core import Literal

from bayesml.exporting.text import ATOM, Text, identifier, number, numbers, of_type, tuple_of

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, JaxprEqn

__all__ = ["Known", "Program", "Writer"]

LONGEST_INLINE = 72
LONGEST_LINE = 80
PART = "part"
"""Name of what has none in the source."""
LARGEST_IN_TEXT = 12
NOT_FOLDED = frozenset(["jit", "pjit", "scan", "while", "cond", "custom_jvp_call", "custom_vjp_call", "closed_call"])
RESERVED = frozenset(
    ["jax", "jnp", "np", "numpyro", "dist", "constraints", "data", "model", "int", "float", "bool", "max", "min", "abs"]
)
ASSIGNED = re.compile(r"\s*([A-Za-z]\w*)(?:: [^=]+)? = ")


@final
@dataclass(frozen=True)
class Known:
    """An array of the program: its text, its shape and its type."""

    text: Text
    like: jax.ShapeDtypeStruct

    @classmethod
    def number(cls, text: Text, shape: tuple[int, ...]) -> Known:
        """Return an array of numbers in double precision."""
        return cls(text, jax.ShapeDtypeStruct(shape, np.dtype(float)))


@final
@dataclass
class Program:
    """What all functions of a program share.

    Attributes:
        expressions: returns the text of each result of an operation of JAX.
        constants: arrays that the program reads beside the data, by name.
        helpers: lines of functions of the program, in order.
        names: names of these functions.
        used: all names in it.
        known: names of functions with derivatives of their own, by what they compute.
    """

    expressions: Callable[[Walk, JaxprEqn], list[Text]]
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    helpers: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=lambda: set(RESERVED))
    used: set[str] = field(default_factory=lambda: set(RESERVED))
    known: dict[Any, str] = field(default_factory=dict)

    def constant(self, value: np.ndarray) -> str:
        """Return how the program names an array, which is stored with the data."""
        for name, stored in self.constants.items():
            if stored.dtype == value.dtype and np.array_equal(stored, value, equal_nan=value.dtype.kind == "f"):
                return f'data["{name}"]'
        name = f"constant_{len(self.constants) + 1}"
        self.constants[name] = value
        return f'data["{name}"]'


@final
@dataclass
class Writer:
    """Writes the statements of one function.

    Attributes:
        program: what it is part of.
        lines: the statements.
        taken: names that are taken in it.
        inside: whether it is the model, where ``data`` is known.
    """

    program: Program
    lines: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=lambda: set(RESERVED))
    inside: bool = True

    def traced(self, function: Callable[..., Any], *trees: Any) -> Any:
        """Write what a function of arrays computes.

        Args:
            function: of arrays in trees, as JAX has them.
            trees: its arguments, with a ``Known`` in the place of each array.

        Returns:
            Its result, with a ``Known`` in the place of each array.
        """
        shapes = jax.tree.map(lambda known: known.like, trees)
        closed, found = jax.make_jaxpr(function, return_shape=True)(*shapes)
        texts = self.evaluated(closed, [known.text for known in jax.tree.leaves(trees)])
        leaves, structure = jax.tree.flatten(found)
        return jax.tree.unflatten(structure, [Known(*each) for each in zip(texts, leaves, strict=True)])

    def evaluated(
        self, closed: ClosedJaxpr, operands: Sequence[Text], values: Sequence[np.ndarray | None] = ()
    ) -> list[Text]:
        """Write the operations of a traced function, and return its results; ``values`` are operands that are known."""
        jaxpr = closed.jaxpr
        known: dict[Any, Text] = dict(zip(jaxpr.invars, operands, strict=True))
        known |= {v: self.array(c) for v, c in zip(jaxpr.constvars, closed.consts, strict=True)}
        constants = {
            v: np.asarray(c)
            for v, c in zip(jaxpr.constvars, closed.consts, strict=True)
            if np.size(c) <= LARGEST_IN_TEXT
        }
        constants |= {v: x for v, x in zip(jaxpr.invars, values, strict=False) if x is not None}
        return Walk(self, known, _uses(jaxpr), constants=constants).results(jaxpr)

    def array(self, value: Any) -> Text:
        """Return a known array."""
        array = np.asarray(value)
        if array.ndim == 0:
            return number(array.item())
        if array.size and (array == array.flat[0]).all():
            return number(array.flat[0].item())
        if self.inside and array.size > LARGEST_IN_TEXT:
            return Text(self.program.constant(array), shape=array.shape)
        kind = "" if array.dtype.kind == "b" else f", {of_type(array.dtype)}"
        return Text(f"jnp.array({numbers(array)}{kind})", shape=array.shape)

    def name(self, wanted: str) -> str:
        """Return a free name for a variable of the function."""
        found = identifier(wanted, self.taken, self.program.names)
        self.program.used.add(found)
        return found

    def list_of(self, values: np.ndarray) -> str:
        """Return positions."""
        return f"jnp.array({numbers(values)})"

    def named(self, text: Text, name: str) -> Text:
        """Give an expression a name."""
        if text.code.isidentifier():
            return text
        own = self.name(name)
        code = text.code if len(text.code) < LONGEST_LINE or text.level == ATOM else f"({text.code})"
        self.lines.append(f"{own} = {code}")
        return Text(own, shape=text.shape)

    def firm(self, text: Text, shape: tuple[int, ...]) -> Text:
        """Return an array of exactly that shape."""
        if text.shape == tuple(shape):
            return text
        if not text.shape:
            return Text(f"jnp.full({tuple_of(shape)}, {text.code})", shape=tuple(shape))
        return Text(f"jnp.broadcast_to({text.code}, {tuple_of(shape)})", shape=tuple(shape))

    def loop(
        self,
        name: str,
        closed: ClosedJaxpr,
        fixed: Sequence[Text],
        arguments: Mapping[str, int],
        answers: Sequence[int],
    ) -> str:
        """Write a function of tuples, as loops take it, and return its name.

        Args:
            name: what it is called, if that is free.
            closed: what it computes.
            fixed: its first operands, which do not change.
            arguments: the tuples that it gets, with their lengths.
            answers: lengths of the tuples that it returns; empty for one result that stands alone.
        """
        own = self.name(name)
        inner = Writer(self.program, taken=set(self.taken), inside=self.inside)
        variables, lines, texts = closed.jaxpr.invars[len(fixed) :], [], list(fixed)
        for tuple_name, count in arguments.items():
            parameters = [inner.name(letter) for letter in _letters(count)]
            lines += [f"    {tuple_of(parameters)} = {tuple_name}"] if count else []
            texts += [Text(p, shape=v.aval.shape) for p, v in zip(parameters, variables[:count], strict=True)]
            variables = variables[count:]
        results = inner.results(closed, texts)
        answer, taken = results[0] if not answers else "", 0
        parts = []
        for count in answers:
            parts.append(tuple_of(results[taken : taken + count]) if count or len(answers) == 1 else "None")
            taken += count
        answer = answer or ", ".join(parts)
        self.lines += [f"def {own}({', '.join(arguments)}):", *lines, *(f"    {line}" for line in inner.lines)]
        self.lines.append(f"    return {answer}")
        return own

    def results(self, closed: ClosedJaxpr, operands: Sequence[Text]) -> list[str]:
        """Write the operations of a traced function, and return its results as arrays of their whole shape."""
        found = zip(self.evaluated(closed, operands), closed.jaxpr.outvars, strict=True)
        return [self.firm(text, v.aval.shape).code for text, v in found]

    def function(self, name: str, closed: ClosedJaxpr, *, nested: bool) -> str:
        """Write a function, and return its name.

        Args:
            name: what it is called, if that is free.
            closed: what it computes.
            nested: whether it stands in this one, and may use the data; else it is one of the program.
        """
        own = self.name(name) if nested else identifier(name, self.program.used)
        if not nested:
            self.program.names.add(own)
        inner = Writer(self.program, [], set(self.taken if nested else RESERVED), self.inside and nested)
        parameters = [inner.name(letter) for letter in _letters(len(closed.jaxpr.invars))]
        texts = [Text(p, shape=v.aval.shape) for p, v in zip(parameters, closed.jaxpr.invars, strict=True)]
        results = inner.results(closed, texts)
        answer = results[0] if len(results) == 1 else tuple_of(results)
        lines = [
            f"def {own}({', '.join(parameters)}):",
            *(f"    {line}" for line in inner.lines),
            f"    return {answer}",
        ]
        (self.lines if nested else self.program.helpers).extend(lines if nested else [*lines, "", ""])
        return own


def _letters(count: int) -> list[str]:
    return [chr(ord("a") + k) if count <= 12 else f"x{k}" for k in range(count)]


def _uses(jaxpr: Any) -> Counter[Any]:
    used: Counter[Any] = Counter()
    for equation in jaxpr.eqns:
        used.update(v for v in equation.invars if not isinstance(v, Literal))
    used.update(v for v in jaxpr.outvars if not isinstance(v, Literal))
    return used


@final
@dataclass
class Walk:
    """The operations of one traced function, one after the other.

    Attributes:
        writer: where statements go.
        known: text of each variable.
        uses: how often each is used.
        made: the operation that made each variable.
        constants: variables that are known numbers.
        results_of: the variables that are the results.
    """

    writer: Writer
    known: dict[Any, Text]
    uses: Counter[Any]
    made: dict[Any, JaxprEqn] = field(default_factory=dict)
    constants: dict[Any, np.ndarray] = field(default_factory=dict)
    results_of: set[Any] = field(default_factory=set)

    def results(self, jaxpr: Any) -> list[Text]:
        """Write all operations that are used, and return the results."""
        needed = _needed(jaxpr)
        steps = [equation for equation in jaxpr.eqns if equation in needed]
        self.results_of = {v for v in jaxpr.outvars if not isinstance(v, Literal)}
        for k, equation in enumerate(steps):
            following = steps[k + 1] if k + 1 < len(steps) else None
            self.step(equation, following)
        return [self.text(v) for v in jaxpr.outvars]

    def constant(self, variable: Any) -> np.ndarray | None:
        """Return the value of a variable where it is a known number or a small array, else None."""
        return np.asarray(variable.val) if isinstance(variable, Literal) else self.constants.get(variable)

    def text(self, variable: Any) -> Text:
        """Return the text of a variable or a constant."""
        return self.writer.array(variable.val) if isinstance(variable, Literal) else self.known[variable]

    def inlined(self, closed: ClosedJaxpr, variables: Sequence[Any]) -> list[Text]:
        """Write the operations of a function that is called in the place of the call."""
        uses = _uses(closed.jaxpr)
        operands = []
        for variable, inner in zip(variables, closed.jaxpr.invars, strict=True):
            text = self.text(variable)
            operands.append(text if uses[inner] < 2 or _is_short(text) else self.writer.named(text, PART))
        return self.writer.evaluated(closed, operands, [self.constant(v) for v in variables])

    def fixed(self, variables: Sequence[Any]) -> list[Text]:
        """Return operands of a function in this one, which has names for them."""
        texts = [self.writer.firm(self.text(v), v.aval.shape) for v in variables]
        return [text if _is_short(text) else self.writer.named(text, PART) for text in texts]

    def unpacked(self, code: str, variables: Sequence[Any], name: str, pattern: Sequence[int] = ()) -> list[Text]:
        """Write the call of a function with several results, and return a name for each.

        Args:
            code: the call.
            variables: the results.
            name: what they are called.
            pattern: lengths of the tuples that they stand in; empty where they stand in one.
        """
        used = [self.uses[v] > 0 for v in variables]
        names = [self.writer.name(name) if u else "_" for u in used]
        parts, taken = [], 0
        for count in pattern:
            parts.append(tuple_of(names[taken : taken + count]) if count else "_")
            taken += count
        self.writer.lines.append(f"{', '.join(parts) if pattern else tuple_of(names)} = {code}")
        return [Text(n, shape=tuple(v.aval.shape)) for n, v in zip(names, variables, strict=True)]

    def step(self, equation: JaxprEqn, following: JaxprEqn | None) -> None:
        """Write one operation."""
        self.made.update(dict.fromkeys(equation.outvars, equation))
        if self._folded(equation):
            return
        found = self.writer.program.expressions(self, equation)
        for variable, text in zip(equation.outvars, found, strict=True):
            often = self.uses[variable] > 1 and not _is_short(text)
            long = len(text.code) > LONGEST_INLINE and variable not in self.results_of
            self.known[variable] = self.writer.named(text, _name(equation, following)) if often or long else text

    def _folded(self, equation: JaxprEqn) -> bool:
        """Compute what depends on known numbers alone."""
        values = [self.constant(v) for v in equation.invars]
        small = len(equation.outvars) == 1 and 0 < equation.outvars[0].aval.size <= LARGEST_IN_TEXT
        if not small or any(v is None for v in values) or equation.primitive.name in NOT_FOLDED:
            return False
        found = np.asarray(equation.primitive.bind(*values, **equation.params))
        self.constants[equation.outvars[0]] = found
        self.known[equation.outvars[0]] = self.writer.array(found)
        return True


def _is_short(text: Text) -> bool:
    """Whether an expression may be repeated: a name, an element, a number."""
    return bool(re.fullmatch(r'-?[\w.]+|\w+(\["\w+"\])?(\[[\w:, ]+\])*(\.T)?', text.code))


def _needed(jaxpr: Any) -> Any:
    """Return the operations on which the results depend."""
    wanted = {v for v in jaxpr.outvars if not isinstance(v, Literal)}
    needed = _Identities()
    for equation in reversed(jaxpr.eqns):
        if any(v in wanted for v in equation.outvars):
            needed.add(equation)
            wanted |= {v for v in equation.invars if not isinstance(v, Literal)}
    return needed


@final
class _Identities:
    """A set of objects by identity."""

    def __init__(self) -> None:
        self._ids: set[int] = set()

    def add(self, thing: object) -> None:
        self._ids.add(id(thing))

    def __contains__(self, thing: object) -> bool:
        return id(thing) in self._ids


def _name(equation: JaxprEqn, following: JaxprEqn | None) -> str:
    """Return what the source calls the result, where the operation is the last of its line."""
    here = _place(equation)
    if here is None or (following is not None and _place(following) == here):
        return PART
    file, number, function = here
    line = linecache.getline(file, number)
    found = ASSIGNED.match(line)
    if found:
        return found[1]
    return function.strip("_") if line.lstrip().startswith("return ") and function.isidentifier() else PART


def _place(equation: JaxprEqn) -> tuple[str, int, str] | None:
    """Return file, line and function of this package from which an operation comes."""
    traceback = equation.source_info.traceback
    for frame in traceback.frames if traceback is not None else ():
        if "/bayesml/" in frame.file_name and "/exporting/" not in frame.file_name:
            return frame.file_name, frame.line_num, frame.function_name
    return None
