"""The reference page is what the schema says."""

from pathlib import Path

from trainer.config.options import options
from trainer.config.reference import operations, reference


def test_the_reference_page_is_generated_from_the_schema():
    page = Path("docs/config.md").read_text(encoding="utf-8")
    remedy = "run: python -m trainer.config.reference > docs/config.md"
    assert page == reference(), remedy


def test_the_page_on_augmentation_lists_every_operation_with_its_parameters():
    page = Path("docs/augmentation.md").read_text(encoding="utf-8")
    assert operations() in page, (
        "replace its table by what trainer.config.reference.operations says"
    )


def test_every_option_is_described_with_what_it_may_be():
    page = reference()
    for option in options().values():
        assert f"| `{option.key}` | {option.allowed} |".replace("|im_end|", "") in page
        assert option.description.endswith(".")
