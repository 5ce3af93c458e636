from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.benchmarks.readers import Columns, read_tasks
from phalanx.benchmarks.tasks import TaskItem, TaskSet, content_id, letter
from phalanx.errors import SpecError, ValidationError


def written(folder: Path, name: str, text: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def refusal(file: Path, **options: object) -> SpecError:
    with pytest.raises(SpecError) as caught:
        read_tasks(file, **options)  # type: ignore[arg-type]
    return caught.value


def test_json_lines_become_items_with_all_that_is_known(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "quiz.jsonl",
        '{"id": 7, "question": "Which?", "gold": "B", "choices": ["x", "y"], "cluster": "doc 1", '
        '"difficulty": 2, "by": "me"}\n'
        "\n"
        '{"question": "2+2?", "answer": 4}\n',
    )
    first, second = read_tasks(file)
    assert first == TaskItem(
        id="7", question="Which?", gold="B", choices=("x", "y"), cluster="doc 1", difficulty=2.0, meta={"by": "me"}
    )
    assert first.text == "Which?\nA) x\nB) y"
    assert (second.gold, second.id) == (4, content_id("2+2?"))
    assert read_tasks(file).name == "quiz"


def test_gold_keeps_its_type(tmp_path: Path) -> None:
    golds = ['"7"', "7", "7.5", "true", '["a", "b"]']
    file = written(
        tmp_path, "q.jsonl", "\n".join(f'{{"id": "{i}", "question": "q", "gold": {g}}}' for i, g in enumerate(golds))
    )
    found = [item.gold for item in read_tasks(file)]
    assert found == ["7", 7, 7.5, True, ("a", "b")]
    assert [type(each) for each in found] == [str, int, float, bool, tuple]


def test_csv_with_quotes_line_breaks_and_choices(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "q.csv",
        '\ufeffquestion,gold,choices\r\n"two\nlines, ""one"" comma",A,yes|no\r\nplain,B,"[""p"", ""q""]"\r\n',
    )
    first, second = read_tasks(file)
    assert first.question == 'two\nlines, "one" comma'
    assert first.choices == ("yes", "no")
    assert second.choices == ("p", "q")


def test_tabs_and_gzip_are_read_too(tmp_path: Path) -> None:
    rows = "question\tgold\nq\t1\n"
    assert read_tasks(written(tmp_path, "a.tsv", rows))[0].gold == "1"
    assert read_tasks(written(tmp_path, "b.tsv.gz", gzip.compress(rows.encode())))[0].gold == "1"
    assert len(read_tasks(written(tmp_path, "c.jsonl.gz", gzip.compress(b'{"question": "q", "gold": 1}')))) == 1


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{"question": "q", "gold"', "not JSON"),
        ("[1, 2]", "must be a JSON object, not list"),
        ('{"question": "q", "gold": NaN}', "NaN is not JSON"),
        ('{"question": "q"}', "no right answer"),
        ('{"question": "q", "gold": "  "}', "no right answer"),
        ('{"question": "q", "gold": {"a": 1}}', "gold must be text"),
        ('{"question": "q", "gold": [[1]]}', "gold"),
        ('{"question": 5, "gold": 1}', "the question must be text, not int"),
        ('{"frage": "q", "gold": 1}', "no question; there are the columns frage, gold"),
        ('{"question": "q", "gold": 1, "choices": "only"}', "choices must be a list of two or more"),
        ('{"question": "q", "gold": 1, "difficulty": "hard"}', "difficulty must be a number, not 'hard'"),
        ('{"id": "one", "question": "other", "gold": 2}', "id 'one' was already used in line 1"),
        ("[" * 100_000, "not"),
    ],
)
def test_a_bad_row_is_refused_with_file_and_line_or_left_out_and_counted(
    tmp_path: Path, row: str, problem: str
) -> None:
    good = '{"id": "one", "question": "fine", "gold": 1}'
    file = written(tmp_path, "q.jsonl", f"{good}\n\n{row}\n")
    error = refusal(file)
    assert (error.file, error.line) == (str(file), 3)
    assert problem in str(error)
    assert "skip_bad" in str(error)
    kept = read_tasks(file, skip_bad=True)
    assert len(kept) == 1
    assert [bad.line for bad in kept.skipped] == [3]
    assert problem in kept.skipped[0].problem
    assert "1 row skipped" in str(kept)


def test_text_that_is_not_utf_8_is_refused_by_line(tmp_path: Path) -> None:
    file = written(tmp_path, "q.jsonl", b'{"question": "q", "gold": 1}\n{"question": "caf\xe9", "gold": 2}\n')
    error = refusal(file)
    assert error.line == 2
    assert "not UTF-8" in str(error)
    assert "not UTF-8" in str(refusal(written(tmp_path, "q.csv", b"question,gold\ncaf\xe9,1\n")))


def test_how_many_more_rows_are_bad_is_said(tmp_path: Path) -> None:
    assert "(and 2 more bad rows)" in str(refusal(written(tmp_path, "q.jsonl", "x\ny\nz\n")))


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_refused_even_when_bad_rows_are_skipped(tmp_path: Path, text: str) -> None:
    assert "is empty" in str(refusal(written(tmp_path, "q.jsonl", text), skip_bad=True))
    assert "is empty" in str(refusal(written(tmp_path, "q.csv", "question,gold\n"), skip_bad=True))
    assert "is empty" in str(refusal(written(tmp_path, "e.csv", ""), skip_bad=True))


def test_a_file_without_a_good_row_is_refused(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, "q.jsonl", "x\ny\n"), skip_bad=True)
    assert "all 2 rows are bad; the first: line 1: not JSON" in str(error)


def test_a_csv_row_of_another_length_is_bad_at_the_line_where_it_starts(tmp_path: Path) -> None:
    file = written(tmp_path, "q.csv", 'question,gold\n"a\nb\nc",1\n"d\ne",2,3\n')
    error = refusal(file)
    assert error.line == 5
    assert "has 3 fields, the header has 2" in str(error)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("question,gold,gold\nq,1,2\n", "the header names 'gold' twice"),
        ("question,,gold\nq,1,2\n", "column without a name"),
        ('question,gold\n"q,1\n', "not CSV"),
        ("question,gold\n" + "x" * 200_000 + ",1\n", "JSON lines"),
    ],
)
def test_a_broken_csv_file_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in str(refusal(written(tmp_path, "q.csv", text), skip_bad=True))


def test_columns_are_named_or_computed(tmp_path: Path) -> None:
    file = written(
        tmp_path, "gsm.jsonl", '{"problem_text": "How many?", "answer": "so it is #### 72", "topic": "sums"}'
    )
    columns = Columns(
        question="problem_text", gold=lambda row: int(str(row["answer"]).split("####")[-1]), cluster="topic"
    )
    item = read_tasks(file, columns=columns)[0]
    assert (item.question, item.gold, item.cluster) == ("How many?", 72, "sums")
    assert item.meta == {"answer": "so it is #### 72"}


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    file = written(tmp_path, "q.jsonl", '{"question": "q", "label": 1}')
    assert "gold: no column 'lable' (did you mean 'label'?)" in str(refusal(file, columns=Columns(gold="lable")))


def test_a_column_function_that_fails_makes_a_bad_row(tmp_path: Path) -> None:
    file = written(tmp_path, "q.jsonl", '{"question": "q", "gold": 1}')
    assert "gold: the function for it failed: ZeroDivisionError" in str(
        refusal(file, columns=Columns(gold=lambda _: 1 / 0))
    )


def test_answers_may_be_missing_when_a_judge_will_score(tmp_path: Path) -> None:
    file = written(tmp_path, "q.jsonl", '{"question": "Write a poem."}')
    assert read_tasks(file, need_gold=False)[0].gold is None


def test_a_file_of_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"\.jsonl, \.ndjson, \.csv or \.tsv"):
        read_tasks(written(tmp_path, "q.xlsx", "?"))


def test_sets_from_python_take_pairs_mappings_and_items() -> None:
    found = TaskSet.of("mine", [("1+1?", 2), {"question": "2+2?", "gold": 4}, TaskItem(id="x", question="?", gold="y")])
    assert [item.gold for item in found] == [2, 4, "y"]
    assert found[0].id == content_id("1+1?")
    assert str(found) == "mine: 3 items"


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([("q", 1), "text"], "item 1 of 'mine': must be a TaskItem"),
        ([{"question": " ", "gold": 1}], "item 0 of 'mine': question: Value error, must not be blank"),
        ([{"question": "q", "glod": 1}], "glod: Extra inputs"),
        ([("q", 1), ("q", 2)], "more than one item with id"),
        ([], "has no items"),
    ],
)
def test_what_is_no_item_is_refused_by_place(items: list[object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TaskSet.of("mine", items)  # type: ignore[arg-type]


def test_ids_come_from_what_is_asked_and_not_from_the_place() -> None:
    one = TaskSet.of("one", [("a?", 1), ("b  is\nwhat?", 2)])
    other = TaskSet.of("other", [("new?", 0), ("b is what?", 2), ("a?", 1)])
    assert {item.id for item in one} < {item.id for item in other}
    assert content_id("which?", ["x", "y"]) != content_id("which?", ["x", "z"])


def clustered(count: int, size: int) -> TaskSet:
    return TaskSet.of(
        "docs",
        [TaskItem(id=f"{c}-{i}", question="q", gold=1, cluster=f"doc {c}") for c in range(count) for i in range(size)],
    )


@given(st.integers(4, 30), st.integers(1, 6), st.floats(0.1, 0.7), st.integers(0, 99))
def test_a_split_keeps_clusters_whole_and_loses_nothing(count: int, size: int, share: float, seed: int) -> None:
    tasks = clustered(count, size)
    development, held_out = tasks.split(share, seed=seed)
    apart = [{item.cluster for item in part} for part in (development, held_out)]
    assert not apart[0] & apart[1]
    assert sorted(item.id for part in (development, held_out) for item in part) == sorted(item.id for item in tasks)
    assert len(held_out) >= share * len(tasks) - 1e-9
    assert len(held_out) < share * len(tasks) + size


def test_a_split_depends_on_the_seed_and_not_on_the_order() -> None:
    tasks = clustered(20, 3)
    shuffled = list(tasks)
    random.Random(1).shuffle(shuffled)
    again = TaskSet("docs", tuple(shuffled))
    ids = [{item.id for item in each.split(seed=seed)[1]} for each in (tasks, again) for seed in (1, 2)]
    assert ids[0] == ids[2]
    assert ids[0] != ids[1]


def test_one_cluster_cannot_be_split() -> None:
    with pytest.raises(ValidationError, match="1 clusters, too few"):
        clustered(1, 10).split()


def test_items_without_a_cluster_stand_alone_beside_those_with_one() -> None:
    mixed = TaskSet.of("m", [TaskItem(id="1", question="q", cluster="2"), TaskItem(id="2", question="q")])
    assert mixed.clusters is not None
    assert len(set(mixed.clusters)) == 2
    assert TaskSet.of("m", [("a", 1), ("b", 2)]).clusters is None


def test_a_sample_is_drawn_by_seed_and_keeps_the_order() -> None:
    tasks = clustered(30, 2)
    drawn = tasks.sample(10, seed=1)
    assert len(drawn) == 10
    assert drawn == tasks.sample(10, seed=1)
    assert drawn != tasks.sample(10, seed=2)
    order = [item.id for item in tasks]
    assert sorted(drawn, key=lambda item: order.index(item.id)) == list(drawn)
    assert {item.id for item in drawn} < {item.id for item in tasks.sample(20, seed=1)}


def test_the_fingerprint_is_of_the_items_and_not_of_name_or_order() -> None:
    tasks = clustered(3, 2)
    assert TaskSet("x", tasks.items[::-1]).fingerprint == tasks.fingerprint
    changed = (*tasks.items[:-1], tasks.items[-1].model_copy(update={"gold": 2}))
    assert TaskSet("docs", changed).fingerprint != tasks.fingerprint


def test_letters_go_on_after_z() -> None:
    assert [letter(place) for place in (0, 1, 25, 26, 27, 701, 702)] == ["A", "B", "Z", "AA", "AB", "ZZ", "AAA"]
