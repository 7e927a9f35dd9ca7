"""The stand-ins do what Fair-Forge's own schemas do."""
import pytest

from fairforge_worker import schemas
from schema_cases import CASES, show


@pytest.mark.parametrize("expression, expected", CASES)
def test_as_the_real_ones(expression, expected):
    assert show(expression, schemas) == expected


def test_fields_of_a_subclass_need_the_real_package():
    with pytest.raises(TypeError, match="fields added to Batch need the package alquimia-fair-forge"):
        class More(schemas.Batch):
            extra: str

    class Same(schemas.Batch):
        def shout(self):
            return self.query.upper()

    assert Same(query="q", assistant="", ground_truth_assistant="", qa_id="1").shout() == "Q"
    assert schemas.Dataset(session_id="s", assistant_id="a", context="", conversation=[Same(query="q", assistant="", ground_truth_assistant="", qa_id="1")]).conversation[0].shout() == "Q"


def test_every_problem_is_told_in_words():
    with pytest.raises(ValueError) as caught:
        schemas.Dataset.model_validate({"session_id": 1, "assistant_id": "a", "context": "", "conversation": [{"query": "q" * 100}]})
    text = str(caught.value)
    assert text.splitlines()[0] == "4 validation errors for Dataset" and "conversation.0.qa_id\n  Field required [type=missing" in text, text
    assert caught.value.error_count() == 4


def test_abstract_methods():
    with pytest.raises(TypeError, match="abstract"):
        schemas.BaseRunner()
