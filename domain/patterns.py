"""Regular expressions of callers, searched in bounded time.

Python's own engine goes back and tries again, which for `(a+)+$` takes twice as long with every further character. Here
all alternatives advance together, character by character, so the steps grow with the text times the pattern, and every
step is counted. That leaves out what only trying can find: look-around and back-references.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]  # Only the syntax is taken from there; nobody else offers it.
from re import error as SyntaxProblem  # noqa: N812 - A class, whatever it is called there.
from typing import Any, NamedTuple

from domain.errors import InvalidArgumentError

MAX_PATTERN_CHARACTERS = 1_000
MAX_INSTRUCTIONS = 2_000
"""Size of a compiled pattern; `(a{100}){100}` would have 10,000."""
CACHED_PATTERNS = 128

_UNICODE_ONLY = 32
"""The flag that every pattern of text has; `(?i)` and its kin would set others."""
_END_OF_TEXT = frozenset({"AT_END", "AT_END_STRING"})
_START_OF_TEXT = frozenset({"AT_BEGINNING", "AT_BEGINNING_STRING"})

Accepts = Callable[[str], bool]
_CATEGORIES: dict[str, Accepts] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_NOT_DIGIT": lambda char: not char.isdecimal(),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda char: not char.isspace(),
    "CATEGORY_WORD": lambda char: char.isalnum() or char == "_",
    "CATEGORY_NOT_WORD": lambda char: not (char.isalnum() or char == "_"),
}


class Budget:
    """Steps that a check may still take; whoever takes too many is refused."""

    __slots__ = ("_left",)

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        """Take steps.

        Raises:
            InvalidArgumentError: There are not so many left.
        """
        self._left -= steps
        if self._left < 0:
            raise InvalidArgumentError("The check against collection_schema takes too many steps; simplify the schema.")


class _Char(NamedTuple):
    accepts: Accepts


class _Fork(NamedTuple):
    """Goes on at all of these instructions."""

    targets: tuple[int, ...]


class _At(NamedTuple):
    is_end: bool


class _Match(NamedTuple):
    pass


_Instruction = _Char | _Fork | _At | _Match


class Pattern:
    """A compiled regular expression."""

    def __init__(self, source: str) -> None:
        self._program: list[_Instruction] = []
        try:
            parsed = _parser.parse(source)
        except (SyntaxProblem, RecursionError, OverflowError) as error:
            raise InvalidArgumentError(f"Invalid pattern: {error}") from None
        if parsed.state.flags != _UNICODE_ONLY:
            raise _unsupported("flags")
        self._compile(parsed)
        self._emit(_Match())

    def is_found_in(self, text: str, budget: Budget) -> bool:
        """Tell whether some part of the text matches.

        Raises:
            InvalidArgumentError: The budget does not allow it.
        """
        known: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        restart = self._closure((0,), budget)
        current = self._closure((0,), budget, is_start=True)
        budget.spend(len(text) // 16)
        for char in text:
            if self._is_match(current):
                return True
            following = known.get((current, char))
            if following is None:
                budget.spend(len(current))
                reached = [at + 1 for at in current if self._accepts(at, char)]
                following = self._closure(reached, budget) | restart
                known[current, char] = following
            current = following
        return self._is_match(self._closure(current, budget, is_start=not text, is_end=True))

    def _accepts(self, at: int, char: str) -> bool:
        instruction = self._program[at]
        return isinstance(instruction, _Char) and instruction.accepts(char)

    def _is_match(self, states: frozenset[int]) -> bool:
        return len(self._program) - 1 in states

    def _closure(
        self, starts: Iterable[int], budget: Budget, *, is_start: bool = False, is_end: bool = False
    ) -> frozenset[int]:
        """Follow what takes no character; gives the instructions that wait for one, for the end, or match."""
        waiting, seen = list(starts), set[int]()
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            instruction = self._program[at]
            if isinstance(instruction, _Fork):
                waiting.extend(instruction.targets)
            elif isinstance(instruction, _At) and (is_end if instruction.is_end else is_start):
                waiting.append(at + 1)
        budget.spend(len(seen))
        return frozenset(at for at in seen if not isinstance(self._program[at], _Fork))

    def _emit(self, instruction: _Instruction) -> int:
        if len(self._program) >= MAX_INSTRUCTIONS:
            raise InvalidArgumentError("Invalid pattern: it is too large.")
        self._program.append(instruction)
        return len(self._program) - 1

    def _compile(self, nodes: Iterable[tuple[Any, Any]]) -> None:
        for code, value in nodes:
            match code.name:
                case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                    self._emit(_Char(_acceptor(code.name, value)))
                case "AT" if value.name in _START_OF_TEXT | _END_OF_TEXT:
                    self._emit(_At(value.name in _END_OF_TEXT))
                case "SUBPATTERN":
                    _, added, removed, inner = value
                    if added or removed:
                        raise _unsupported("flags")
                    self._compile(inner)
                case "BRANCH":
                    self._branch(value[1])
                case "MAX_REPEAT" | "MIN_REPEAT":
                    self._repeat(*value)
                case _:
                    raise _unsupported("look-around, back-references, word boundaries and possessive quantifiers")

    def _branch(self, alternatives: Sequence[Any]) -> None:
        fork = self._emit(_Fork(()))
        starts, ends = [], []
        for alternative in alternatives:
            starts.append(len(self._program))
            self._compile(alternative)
            ends.append(self._emit(_Fork(())))
        self._program[fork] = _Fork(tuple(starts))
        for end in ends:
            self._program[end] = _Fork((len(self._program),))

    def _repeat(self, least: int, most: int, inner: Any) -> None:  # noqa: ANN401 - A node of the parser.
        for _ in range(least):
            self._compile(inner)
        if most == _parser.MAXREPEAT:
            fork = self._emit(_Fork(()))
            self._compile(inner)
            self._emit(_Fork((fork,)))
            self._program[fork] = _Fork((fork + 1, len(self._program)))
            return
        forks = []
        for _ in range(most - least):
            forks.append(self._emit(_Fork(())))
            self._compile(inner)
        for fork in forks:
            self._program[fork] = _Fork((fork + 1, len(self._program)))


@lru_cache(maxsize=CACHED_PATTERNS)
def compile_pattern(source: str) -> Pattern:
    """Compile a regular expression.

    Raises:
        InvalidArgumentError: It is malformed, too large, or needs what cannot be searched in bounded time.
    """
    if len(source) > MAX_PATTERN_CHARACTERS:
        raise InvalidArgumentError(f"Invalid pattern: it has more than {MAX_PATTERN_CHARACTERS} characters.")
    return Pattern(source)


def _unsupported(what: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"Unsupported pattern: {what} are not available in collection_schema.")


def _acceptor(name: str, value: Any) -> Accepts:  # noqa: ANN401 - A node of the parser.
    match name:
        case "LITERAL":
            return chr(value).__eq__
        case "NOT_LITERAL":
            return chr(value).__ne__
        case "ANY":
            return "\n".__ne__
        case "RANGE":
            low, high = value
            return lambda char: low <= ord(char) <= high
        case "CATEGORY":
            return _CATEGORIES[value.name]
    is_negated = value[0][0].name == "NEGATE"
    members = [_acceptor(code.name, inner) for code, inner in value[is_negated:]]
    return lambda char: any(accepts(char) for accepts in members) != is_negated
