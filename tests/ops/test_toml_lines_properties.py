"""Properties of `ops.toml_lines`: whatever is written, every key is found where it was put."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.toml_lines import key_lines

_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
_values = st.one_of(
    st.integers(0, 9).map(str),
    _text.map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(
        ["[\n1,\n2\n]", '"""\n[x]\ny = 1\n"""', "'''\n\"\n'''", "{ a = 1 }", '["]", "#"]', "1.5 # ="]
    ),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(_text, _values), unique_by=lambda pair: pair[0], max_size=8))
def test_key_lines_every_key_is_found_on_its_line(pairs: list[tuple[str, str]]) -> None:
    text, expected = "", {}
    for key, value in pairs:
        expected[(key,)] = text.count("\n") + 1
        text += f"{json.dumps(key, ensure_ascii=False)} = {value}\n"
    assert key_lines(text) == expected
