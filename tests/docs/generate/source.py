"""Reads the project's sources as syntax trees: what is said in them, where it is said."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

#: Stands for what is known only when the program runs.
SOMETHING = "…"


@cache
def trees(folder: str) -> list[tuple[Path, ast.Module]]:
    """(path below the project, tree) of every module below ``folder``, migrations left out."""
    files = sorted((ROOT / folder).rglob("*.py"))
    return [
        (file.relative_to(ROOT), ast.parse(file.read_text(encoding="utf-8")))
        for file in files if "migrations" not in file.parts
    ]  # fmt: skip


def sentence(node: ast.expr | None, known: dict[str, ast.expr] | None = None) -> str:
    """What a string expression says; names are looked up in ``known``, values are an ellipsis."""
    known = known or {}
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(sentence(part, known) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return sentence(left, known) + sentence(right, known)
        case ast.IfExp(body=body, orelse=other):
            return f"{sentence(body, known)} / {sentence(other, known)}"
        case ast.Name(id=name) if name in known:
            return sentence(known[name], {k: v for k, v in known.items() if k != name})
        case None:
            return ""
    return SOMETHING


def assigned(body: ast.AST, before_line: int) -> dict[str, ast.expr]:
    """name -> what was last assigned to it in ``body`` above that line."""
    all_ = [node for node in ast.walk(body) if isinstance(node, ast.Assign)]
    above = sorted((n for n in all_ if n.lineno <= before_line), key=lambda node: node.lineno)
    return {to.id: n.value for n in above for to in n.targets if isinstance(to, ast.Name)}


def argument(call: ast.Call, place: int, name: str) -> ast.expr | None:
    """The argument at ``place`` or with that name."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[place] if len(call.args) > place else None
