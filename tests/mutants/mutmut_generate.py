"""The mutants of one module: mutmut's operators, over the whole file.

``mutmut run`` changes the bodies of undecorated functions only. Half of what is checked here is
tables at the top of a module, so its operators are applied to the file itself, and the copy that
the tests import is overwritten: one changed place at a time.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.mutators import OPERATORS_TYPE, mutation_operators, operator_string
from mutmut.mutation.pragma_handling import IgnoredCode

#: Two words side by side: a sentence for people, and no test should repeat it letter by letter.
_PROSE = re.compile(r"[A-Za-z]{2,} [A-Za-z]")


class Mutant(NamedTuple):
    """``code``: the whole file. The rest names the mutant, whatever line it is on."""

    place: str  # a function, or "module"
    was: str
    now: str
    code: str


def mutants_of(source: str) -> Iterator[Mutant]:
    """Every mutant that compiles, each once, in the order of the file."""
    visitor = _WholeFile(_operators(), IgnoredCode(set(), set(), set()))
    module = MetadataWrapper(cst.parse_module(source)).visit(visitor)
    seen = {source}
    for mutation in visitor.mutations:
        changed = module.deep_replace(mutation.original_node, mutation.mutated_node)
        assert isinstance(changed, cst.Module)
        if changed.code not in seen and _compiles(changed.code):
            seen.add(changed.code)
            was, now = _difference(source, changed.code)
            yield Mutant(_place(mutation), was, now, changed.code)


class _WholeFile(MutationVisitor):
    """Decorated functions too: mutmut leaves them out for its trampolines, of which there are none
    here."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return False
        return super()._skip_node_and_children(node)


def _operators() -> OPERATORS_TYPE:
    theirs = [
        (kind, _string_but_no_prose if operator is operator_string else operator)
        for kind, operator in mutation_operators
    ]
    return [*theirs, (cst.Set, _leave_out), (cst.Dict, _leave_out), (cst.Tuple, _leave_out)]


def _string_but_no_prose(node: cst.BaseString) -> Iterable[cst.BaseString]:
    if isinstance(node, cst.SimpleString) and _PROSE.search(node.value):
        return ()
    return operator_string(node)


def _leave_out(table: cst.Set | cst.Dict | cst.Tuple) -> Iterator[cst.CSTNode]:
    """One entry left out of a table. Of a pair, either half is nothing of its kind any more."""
    if len(table.elements) > 2:
        for at in range(len(table.elements)):
            yield table.with_changes(elements=[*table.elements[:at], *table.elements[at + 1 :]])


def _compiles(code: str) -> bool:
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _place(mutation: Mutation) -> str:
    function = mutation.contained_by_top_level_function
    return function.name.value if isinstance(function, cst.FunctionDef) else "module"


def _difference(source: str, mutated: str) -> tuple[str, str]:
    """The changed lines before and after, without their indentation."""
    lines = [*difflib.unified_diff(source.splitlines(), mutated.splitlines(), n=0)][2:]
    was = " ".join(line[1:].strip() for line in lines if line.startswith("-"))
    now = " ".join(line[1:].strip() for line in lines if line.startswith("+"))
    return was, now or "(left out)"
