"""What an answer means: numbers, dates, choices, lists, formulas, text; and what must not be the same."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx.formations.voting.dates import day
from phalanx.formations.voting.kinds import Kind
from phalanx.formations.voting.numbers import number
from phalanx.formations.voting.parse import number_in, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42), ("-42", -42), ("−42", -42), ("minus 3", -3), ("+3.5", "7/2"), ("5.", 5), (".5", "1/2"),
        ("1,234", 1234), ("1,234,567.89", "123456789/100"), ("1.234.567,89", "123456789/100"), ("1.234,5", "2469/2"),
        ("1 234 567", 1234567), ("1 234", 1234), ("1'234'567", 1234567), ("12,34,567", 1234567), ("1_000", 1000),
        ("3,5", "7/2"), ("0,123", "123/1000"), ("1.234", "617/500"), ("3{,}000", 3000),
        ("50%", "1/2"), ("50 percent", "1/2"), ("12.5\\%", "1/8"), ("2,5 %", "1/40"),
        ("1/2", "1/2"), ("-3/4", "-3/4"), ("½", "1/2"), ("1½", "3/2"), ("1 1/2", "3/2"), ("-1 1/2", "-3/2"),
        ("\\frac{1}{2}", "1/2"), ("-\\dfrac{3}{4}", "-3/4"), ("\\frac12", "1/2"), ("1\\frac{1}{2}", "3/2"),
        ("1.2e5", 120000), ("1.2E-3", "3/2500"), ("1.2×10^5", 120000), ("1.2 \\times 10^{5}", 120000), ("10^6", 10**6),
        ("5 million", 5 * 10**6), ("२३", 23), ("٣٫٥", "7/2"), ("１２", 12), ("x = 5", 5), ("≈3.14", "157/50"),
        ("about 7", 7), ("twelve", 12), ("Zero", 0),
    ],
)  # fmt: skip
def test_a_number_is_read_however_it_is_written(text: str, value: int | str) -> None:
    found = number(text)
    assert found is not None
    assert (found.value, found.unit) == (Fraction(value), "")


@pytest.mark.parametrize(
    ("text", "value", "unit", "base"),
    [
        ("$18", 18, "$", 18), ("-$5", -5, "$", -5), ("$-5", -5, "$", -5), ("\\$1,234.50", "2469/2", "$", "2469/2"),
        ("18 dollars", 18, "$", 18), ("18 USD", 18, "$", 18), ("€5", 5, "€", 5), ("5 €", 5, "€", 5),
        ("$2.5 billion", 25 * 10**8, "$", 25 * 10**8),
        ("5 km", 5, "m", 5000), ("5,000 meters", 5000, "m", 5000), ("2 hours", 2, "s", 7200),
        ("1 year", 1, "month", 12),
        ("90°", 90, "°", 90), ("12^{\\circ}", 12, "°", 12), ("6\\text{ cm}", 6, "m", "3/50"), ("5 m^2", 5, "m^2", 5),
        ("12 eggs", 12, "egg", 12), ("12 eggs per day", 12, "egg per day", 12), ("3 people", 3, "people", 3),
    ],
)  # fmt: skip
def test_a_unit_is_kept_apart_from_the_number(text: str, value: int | str, unit: str, base: int | str) -> None:
    found = number(text)
    assert found is not None
    assert (found.value, found.unit, found.base) == (Fraction(value), unit, Fraction(base))


@pytest.mark.parametrize(
    "text",
    ["", "abc", "12.34.56", "1,2,3", "1,000,00", "0.1.2", "1234 5678", "12 34", "1:2", "5/0", "1/3/2", "++5", "--5",
     "7/8/2024", "2024-07-04", "5-3", "5 - 3", "3*4", "5²", "5^2", "x^2", "2x", "2pi", "5m", "5!", "3 of 5", "5 or 6",
     "42 because of it", "1e999999999", "10^999999999", "9" * 300, "2\\sqrt{3}", "\\frac{x}{2}", "\\frac{1}{0}",
     "1 1/0", "5 apples and oranges", "$5 million yen"],
)  # fmt: skip
def test_what_is_no_number_and_nothing_else_is_not_read_as_one(text: str) -> None:
    assert number(text) is None


def test_which_mark_separates_decimals_can_be_said() -> None:
    assert [str(found.value) for text in ("1,234", "1.234") if (found := number(text, ","))] == ["617/500", "1234"]
    assert [str(found.value) for text in ("1,234", "1.234") if (found := number(text, "."))] == ["1234", "617/500"]


def test_a_number_with_one_comma_is_one_number_where_that_is_said() -> None:
    assert parse("1,2", "number") == parse("1.2", "number")
    assert parse("1,2", decimal=",") == parse("1.2", decimal=".")


def test_a_percentage_may_be_the_plain_number_where_that_is_asked_for() -> None:
    plain, hundredths = number("50%", percent="plain"), number("50%")
    assert plain is not None
    assert hundredths is not None
    assert plain.value == 50
    assert hundredths.value == Fraction(1, 2)


@given(st.fractions(max_denominator=10**6).filter(lambda f: abs(f) < 10**12))
def test_every_fraction_is_read_back(value: Fraction) -> None:
    found = number(f"{value.numerator}/{value.denominator}")
    assert found is not None
    assert found.value == value


@given(st.integers(-(10**15), 10**15), st.sampled_from([",", "_", "'"]))
def test_every_grouped_whole_number_is_read_back(value: int, mark: str) -> None:
    found = number(f"{value:,}".replace(",", mark))
    assert found is not None
    assert found.value == value


@pytest.mark.parametrize(
    "text",
    ["2024-07-04", "2024/7/4", "4 July 2024", "July 4, 2024", "July 4th, 2024", "Jul. 4 2024", "4th of July 2024",
     "Thursday, July 4th, 2024", "4.7.2024", "4-Jul-2024"],
)  # fmt: skip
def test_a_date_is_read_however_it_is_written(text: str) -> None:
    assert day(text) == date(2024, 7, 4)


def test_a_date_that_may_be_two_days_is_read_only_when_the_order_is_said() -> None:
    assert day("07/04/2024") is None
    assert day("07/04/2024", day_first=True) == date(2024, 4, 7)
    assert day("07/04/2024", day_first=False) == date(2024, 7, 4)
    assert day("13/04/2024") == day("04/13/2024") == date(2024, 4, 13)
    assert day("04/04/2024") == date(2024, 4, 4)
    assert day("31/02/2024") is None
    assert day("2024-02-30") is None


SAME = [
    ["B", "(B)", "(b)", "B)", "B.", "option B", "Choice (B)", "B: Paris", "B) Paris", "\\text{(B)}"],
    ["yes", "Yes.", "True", "Yes, because it floats", "yes!"],
    ["no", "False", "No. It sinks."],
    ["18", "18.0", "18.00", "\\boxed{18}"],
    ["Paris", "paris", " PARIS. ", '"Paris"', "**Paris**", "Paris!"],
    ["the Beatles", "Beatles", "The Beatles."],
    ["New York", "New-York", "new  york"],
    ["U.S.A.", "USA", "usa"],
    ["don't", "don’t", "dont"],
    ["{1, 2, 3}", "{3,2,1}", "\\{1, 2, 3\\}", "{1, 1, 2, 3}"],
    ["1, 2 and 3", "1, 2, 3", "[1, 2, 3]", "1, 2, and 3"],
    ["\\frac{x+2}{7}", "\\dfrac{x + 2}{7}", "$\\frac{x+2}{7}$"],
    ["2\\sqrt{3}", "2√3", "2 \\sqrt 3"],
    ["x^2+1", "x^{2} + 1", "x^2 + 1."],
    ["(6 - 4) * 5", "(6-4)*5", "(6 - 4) × 5"],
    ["(1, 3]", "(1,3]"],
    ["(1, 2)", "\\left( 1, 2 \\right)", "\\left(1,2\\right)"],
    ['{"a": 1, "b": [1.0]}', '{"b":[1],"a":1.0}'],
    ["5 Meters", "5 meters", "5 METERS", "5 m"],
    ["12 Eggs per Day", "12 eggs per day", "12 EGGS PER DAY"],
    ["3 People", "3 people"],
    ["5 PM", "5 pm"],
    ["1,234", "1234"],
    ["2,5 km", "2.5 km"],
    ["2,5 %", "2.5%", "0.025"],
    ["$3,50", "$3.50"],
    ["4 July 2024", "2024-07-04", "July 4, 2024"],
]


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0])
def test_ways_to_write_one_answer_mean_the_same(spellings: list[str]) -> None:
    assert len({parse(text) for text in spellings}) == 1
    assert None not in {parse(text) for text in spellings}


DIFFERENT = [
    ("C", "C++"), ("C++", "C#"), ("x", "-x"), ("x", "X"), ("n", "n!"), ("5", "5!"), ("f", "f'"), ("1/2", "12"),
    ("E. coli", "E. faecalis"), ("vitamin A", "vitamin"), ("H2O", "H2"), ("50%", "50"), ("5", "-5"), ("1,234", "1.234"),
    ("0.5", "05"),
    ("[1, 2]", "[2, 1]"), ("(1, 2)", "[1, 2]"), ("{1, 2}", "[1, 2]"), ("a and b", "a or b"), ("x+y", "xy"),
    ("x-y", "xy"), ("3:2", "32"), ("12:30", "1230"), ("B", "b"), ("2024", "2024-01-01"), ("x^2", "x2"), ("5 km", "5 m"),
    ("no", "No one"), ("yes", "yesterday"), ("not guilty", "guilty"), ("Smith-Jones", "Smith, Jones"), ("2pi", "2"),
    ("5 in", "5 ft"), ("\\frac{1}{2}", "\\frac{2}{1}"), ("3 of 5", "3"), ("Monday–Friday", "Monday Friday"),
    ("5 mW", "5 MW"), ("5 Mb", "5 MB"), ("5 Mb", "5 mb"), ("5 MB", "5 mb"), ("5 mbar", "5 Mbar"), ("5 b", "5 B"),
    ("5 mWh", "5 MWh"), ("5 Mbps", "5 MBps"), ("5 MM", "5 mm"), ("5 M", "5 m"), ("5 W", "5 w"), ("5 ms", "5 MS"),
    ("about 5 mW or so", "about 5 MW or so"), ("a 5 GB disk", "a 5 Gb disk"),
    ("x=2", "y=2"), ("x = 2", "X = 2"), ("x=2, y=3", "y=2, x=3"),
    ("1,2", "1.2"), ("-1,2", "-1.2"), ("0,1", "0.1"), ("x = 1,2", "x = 1.2"), ("1{,}2", "1.2"), ("12,50", "12.50"),
    ("about 1,2", "1.2"), ("minus 1,2", "-1.2"),
    ("1000000007", "1000000006"), ("x = 2 3", "x = 23"), ("x^{2}3", "x^{23}"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_answers_that_may_differ_in_meaning_are_kept_apart(one: str, other: str) -> None:
    assert parse(one) != parse(other)


@pytest.mark.parametrize("kind", ["auto", "text", "number", "choice", "date", "set", "json"])
@pytest.mark.parametrize("text", ["", "  ", "???", "...", "null", "N/A", "I don't know.", "<answer>", "“”", "**"])
def test_no_answer_is_never_read_as_one(text: str, kind: Kind) -> None:
    assert parse(text, kind) is None


@pytest.mark.parametrize(
    ("kind", "readable", "unreadable"),
    [
        ("number", "18 eggs", "18 of 20"),
        ("choice", "b. Paris", "Paris"),
        ("choice", "D - dependent", "(A) and (B)"),
        ("date", "4 July 2024", "July 2024"),
        ("json", "[1, 2]", "[1, 2"),
        ("set", "- red\n- green", ""),
    ],
)
def test_an_answer_of_another_kind_than_expected_abstains(kind: Kind, readable: str, unreadable: str) -> None:
    assert parse(readable, kind) is not None
    assert parse(unreadable, kind) is None


def test_the_only_number_of_a_sentence_or_the_one_behind_the_last_equals_sign_can_be_asked_for() -> None:
    assert number_in("It makes 18 eggs in all") == "18"
    assert number_in("5 + 13 = 18") == "18"
    assert number_in("She earns $20.50 more") == "$20.50"
    assert number_in("18 of 20") is None
    assert number_in("none") is None


def test_a_set_ignores_order_repetition_and_how_it_is_listed() -> None:
    ways = ["a1, b2", "b2 and a1", "- b2\n- a1", "1. a1\n2. b2", "{b2, a1, a1}", "[a1, b2]"]
    assert len({parse(way, "set") for way in ways}) == 1


def test_an_option_can_be_named_by_its_text() -> None:
    options = {"A": "Paris", "B": "Rome"}
    assert parse("paris.", options=options) == parse("A", options=options) == parse("A. Paris", options=options)
    assert parse("C", "choice", options=options) is None
    assert parse("Paris", "choice") is None


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["auto", "text", "number", "choice", "date", "set", "json"]))
def test_any_text_can_be_read_or_not_but_never_fails(text: str, kind: Kind) -> None:
    read = parse(text, kind)
    assert read is None or hash(read) == hash(parse(text, kind))
