"""Placeholders: filled strictly, and nothing else is one."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulksms.sms import templates
from bulksms.sms.templates import (
    BadVariable,
    MissingVariable,
    TemplateError,
    TextTooLong,
    TooManyPlaceholders,
)

VALUES = {"name": "Asha", "_x1": "u", "balance": 1200, "prénom": "Zoé"}


def render(text: str, variables: Mapping[str, object] = VALUES) -> str:
    return templates.compile(text).render(variables)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Dear {name}, KES {balance}.", "Dear Asha, KES 1200."),
        ("{name}{name}{_x1}", "AshaAshau"),
        ("{prénom}", "Zoé"),
        ("", ""),
        ("no placeholder", "no placeholder"),
        # all other braces are text
        ("{ name } {name.x} {name[0]} {name!r} {name:>9} {0} {1a} {} {na-me}",) * 2,
        ("{ } }{ {{ }} {{}} {{{}}}",) * 2,
        ('{"json": {"a": 1}}',) * 2,
        ("{__class__.__init__} {name.__class__}",) * 2,
        ("%(name)s $name ${name}", "%(name)s $name $Asha"),
        # the one escape
        ("{{name}}", "{name}"),
        ("{{name}} is {name}", "{name} is Asha"),
        ("{{unknown}}", "{unknown}"),
        # braces around
        ("{{name}", "{Asha"),
        ("{name}}", "Asha}"),
        ("{{{name}}}", "{{name}}"),
        ("{{name.x}}",) * 2,
        ("\x00{name}\ud800", "\x00Asha\ud800"),
    ],
)
def test_rendered(text: str, rendered: str) -> None:
    assert render(text) == rendered


def test_names_are_told_once_each_in_order_of_appearance() -> None:
    template = templates.compile("{b} {a} {{c}} {b} {d.e}")
    assert template.names == ("b", "a")
    assert template.text == "{b} {a} {{c}} {b} {d.e}"


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(MissingVariable, match=r"placeholder \{code\}") as caught:
        render("{name}, your code is {code}")
    assert caught.value.name == "code"


def test_a_value_is_put_in_as_it_is_and_never_filled_again() -> None:
    assert render("{a}", {"a": "{b} {{b}} \\1 {a}", "b": "no"}) == "{b} {{b}} \\1 {a}"


def test_variables_that_are_not_named_are_ignored() -> None:
    assert render("{name}", {"name": "Asha", "other": None}) == "Asha"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, "null"),
        (True, "true or false"),
        (1.5, "decimal number"),
        ([1], "array"),
        ((1,), "array"),
        ({"a": 1}, "object"),
        (b"x", "bytes"),
        (10**41, "40 digits"),
        (-(10**5000), "40 digits"),
    ],
    ids=["null", "bool", "float", "list", "tuple", "dict", "bytes", "large", "huge"],
)
def test_other_values_are_refused_and_the_variable_is_named(value: object, word: str) -> None:
    with pytest.raises(BadVariable, match=rf"variable age is .*{word}") as caught:
        render("{age}", {"age": value})
    assert caught.value.name == "age"


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (-5, "-5"), (10**40, "1" + "0" * 40)])
def test_whole_numbers_are_written_plainly(value: int, text: str) -> None:
    assert render("{n}", {"n": value}) == text


def test_a_text_that_would_be_far_too_long_is_not_made() -> None:
    with pytest.raises(TextTooLong) as caught:
        render("{a}" * 200, {"a": "x" * 10**8})
    assert caught.value.characters == 200 * 10**8
    assert len(render("{a}" * 200, {"a": "x" * 250})) == 50_000
    with pytest.raises(TextTooLong):
        render("{a}" * 200 + "!", {"a": "x" * 250})
    with pytest.raises(TextTooLong):
        render("x" * 50_001)


def test_more_than_200_placeholders_are_refused() -> None:
    assert render("{name}" * 200) == "Asha" * 200
    with pytest.raises(TooManyPlaceholders) as caught:
        templates.compile("{name}" * 201)
    assert caught.value.placeholders == 201


def test_all_faults_are_one_kind_of_error() -> None:
    kinds = [MissingVariable, BadVariable, TextTooLong, TooManyPlaceholders]
    assert all(issubclass(kind, TemplateError) for kind in kinds)


def test_a_very_long_name_is_not_repeated_in_the_sentence() -> None:
    with pytest.raises(MissingVariable) as caught:
        render("{" + "a" * 10**5 + "}")
    assert len(str(caught.value)) < 120
    assert len(caught.value.name) == 10**5


plain_pieces = st.sampled_from(["", "a", "{", "}", "{}", " ", "{ x }", "{x.y}", "ß", "{1}"])


@given(st.lists(st.tuples(plain_pieces, st.sampled_from(["x", "y_2"])), max_size=20), plain_pieces)
def test_text_between_placeholders_stays_as_it_is(pieces: list[tuple[str, str]], end: str) -> None:
    # a space around each placeholder: braces side by side are the escape's business
    text = "".join(f"{plain} {{{name}}} " for plain, name in pieces) + end
    expected = "".join(f"{plain} <{name}> " for plain, name in pieces) + end
    assert render(text, {"x": "<x>", "y_2": "<y_2>"}) == expected


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_compiles_and_renders_or_names_what_is_missing(text: str) -> None:
    template = templates.compile(text)
    filled = template.render(dict.fromkeys(template.names, ""))
    assert len(filled) <= len(text)
    if template.names:
        with pytest.raises(MissingVariable):
            template.render({})


@given(st.text("{}ab_. ", max_size=40))
def test_a_doubled_text_is_sent_as_written(text: str) -> None:
    """Whatever placeholders a text has: written with doubled braces it renders to itself."""
    template = templates.compile(text)
    if template.names and "{{" not in text and "}}" not in text:
        doubled = text
        for name in template.names:
            doubled = doubled.replace(f"{{{name}}}", f"{{{{{name}}}}}")
        assert templates.compile(doubled).render({}) == text


def test_ten_thousand_renderings_are_quick() -> None:
    template = templates.compile("Dear {name}, your balance as of {date} is KES {balance}.")
    rows = [{"name": f"Customer {i}", "date": "1 May", "balance": i} for i in range(10_000)]
    best = min(_seconds(template, rows) for _ in range(3))
    assert best < 0.3, f"{best * 1000:.0f} ms; about 30 ms are normal"


def _seconds(template: templates.Template, rows: list[dict[str, object]]) -> float:
    start = time.process_time()
    rendered = [template.render(row) for row in rows]
    spent = time.process_time() - start
    assert rendered[7] == "Dear Customer 7, your balance as of 1 May is KES 7."
    return spent


@pytest.mark.parametrize(
    "text",
    ["{" * 10**6, "{aaaa" * 200_000, "{" + "a" * 10**6, "{{a}}" * 200_000],
    ids=["braces", "open", "name", "escapes"],
)
def test_a_megabyte_is_compiled_in_one_pass(text: str) -> None:
    start = time.process_time()
    assert templates.compile(text).names == ()
    assert time.process_time() - start < 5  # about 0.1 s
