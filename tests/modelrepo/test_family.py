from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codemods.modelrepo.definition import Definition
from codemods.modelrepo.family import Repository

from .conftest import Read

MASK = "_update_causal_mask"


def place(definition: Definition) -> str:
    return f"{definition.path.name}:{definition.qualname}"


def find(repository: Repository, models: Path, name: str) -> Definition:
    """Find ``modeling_x.py:Qualified.name`` among the models."""
    file, qualname = name.split(":")
    found = repository.definition(models / file.split("_", 1)[1].removesuffix(".py") / file, qualname)
    assert found is not None, name
    return found


@pytest.mark.parametrize(
    ("name", "origin", "root"),
    [
        # The child's own override, the parent's, the grandparent's.
        ("modeling_birch.py:BirchModel._update_causal_mask", "generated", "modular_birch.py:BirchModel"),
        ("modeling_cedar.py:CedarModel._update_causal_mask", "generated", "modular_birch.py:BirchModel"),
        ("modeling_yew.py:YewTextModel._update_causal_mask", "generated", "modular_birch.py:BirchModel"),
        ("modeling_rowan.py:RowanModel._update_causal_mask", "generated", "modular_rowan.py:RowanModel"),
        # Copies, and what is generated from a copy.
        ("modeling_moss.py:MossModel._update_causal_mask", "copied-from", "modular_birch.py:BirchModel"),
        ("modeling_fern.py:FernModel._update_causal_mask", "generated", "modular_birch.py:BirchModel"),
        ("modeling_elm.py:ElmModel._update_causal_mask", "copied-from", "modeling_oak.py:OakModel"),
        ("modeling_elm2.py:Elm2Model._update_causal_mask", "generated", "modeling_oak.py:OakModel"),
        # By hand.
        ("modeling_oak.py:OakModel._update_causal_mask", "hand-written", "modeling_oak.py:OakModel"),
        ("modular_birch.py:BirchModel._update_causal_mask", "hand-written", "modular_birch.py:BirchModel"),
    ],
)
def test_root_of_a_mask_method(
    grove: Path, models: Path, read: Read, name: str, origin: str, root: str
) -> None:
    repository = read(grove)
    definition = find(repository, models, name)
    assert repository.origin_of(definition) == origin
    assert place(repository.root_of(definition)) == f"{root}.{MASK}"
    assert repository.problems == ()


@pytest.mark.parametrize(
    ("name", "root"),
    [
        # Whole classes: written in the modular file, inherited whole, or fetched because they are needed.
        ("modeling_birch.py:BirchModel", "modular_birch.py:BirchModel"),
        ("modeling_cedar.py:CedarModel", "modular_birch.py:BirchModel"),
        ("modeling_yew.py:YewTextRMSNorm", "modeling_maple.py:MapleRMSNorm"),
        ("modeling_yew.py:YewTextDecoderLayer", "modular_cedar.py:CedarDecoderLayer"),
        ("modeling_cedar.py:CedarDecoderLayer.__init__", "modeling_maple.py:MapleDecoderLayer.__init__"),
        ("modeling_cedar.py:CedarDecoderLayer.forward", "modular_cedar.py:CedarDecoderLayer.forward"),
        ("modeling_elm.py:ElmMixer", "modeling_oak.py:OakMixer"),
        ("modeling_elm2.py:Elm2Mixer.forward", "modeling_oak.py:OakMixer.forward"),
        ("modeling_elm.py:ElmMixer.describe", "modeling_elm.py:ElmMixer.describe"),
        # Functions and class attributes.
        ("modeling_cedar.py:eager_attention_forward", "modeling_maple.py:eager_attention_forward"),
        ("modeling_fern.py:FernAttention.forward", "modeling_moss.py:MossAttention.forward"),
        (
            "modeling_cedar.py:CedarPreTrainedModel._supports_flex_attn",
            "modeling_maple.py:MaplePreTrainedModel._supports_flex_attn",
        ),
    ],
)
def test_root_of_other_definitions(grove: Path, models: Path, read: Read, name: str, root: str) -> None:
    repository = read(grove)
    assert place(repository.root_of(find(repository, models, name))) == root
    assert repository.problems == ()


def test_lineage_tells_every_step(grove: Path, models: Path, read: Read) -> None:
    repository = read(grove)
    fern = find(repository, models, f"modeling_fern.py:FernModel.{MASK}")
    assert [step.path.name for step in repository.lineage_of(fern)] == [
        "modeling_fern.py",
        "modeling_moss.py",
        "modeling_cedar.py",
        "modeling_birch.py",
        "modular_birch.py",
    ]


def test_members_follow_their_root(grove: Path, models: Path, read: Read) -> None:
    repository = read(grove)
    members = repository.members_of(find(repository, models, f"modular_birch.py:BirchModel.{MASK}"))
    assert [(member.role, place(member.definition), member.inlined) for member in members] == [
        ("root", f"modular_birch.py:BirchModel.{MASK}", False),
        ("generated", f"modeling_birch.py:BirchModel.{MASK}", False),
        ("generated", f"modeling_cedar.py:CedarModel.{MASK}", False),
        ("generated", f"modeling_rowan.py:RowanModel.{MASK}", True),
        ("copy", f"modeling_moss.py:MossModel.{MASK}", False),
        ("generated", f"modeling_yew.py:YewTextModel.{MASK}", False),
        ("generated", f"modeling_fern.py:FernModel.{MASK}", False),
    ]


def test_hand_written_root_has_its_copies_and_their_children(grove: Path, models: Path, read: Read) -> None:
    repository = read(grove)
    members = repository.members_of(find(repository, models, f"modeling_oak.py:OakModel.{MASK}"))
    assert [(member.role, member.definition.path.name) for member in members] == [
        ("root", "modeling_oak.py"),
        ("copy", "modeling_elm.py"),
        ("generated", "modeling_elm2.py"),
    ]
    assert [member.via and member.via.path.name for member in members] == [
        None,
        "modeling_oak.py",
        "modeling_elm.py",
    ]


def test_method_of_a_copied_class_is_a_member_unless_ignored(grove: Path, models: Path, read: Read) -> None:
    repository = read(grove)
    forward = repository.members_of(find(repository, models, "modeling_oak.py:OakMixer.forward"))
    describe = repository.members_of(find(repository, models, "modeling_oak.py:OakMixer.describe"))
    assert [place(member.definition) for member in forward] == [
        "modeling_oak.py:OakMixer.forward",
        "modeling_elm.py:ElmMixer.forward",
        "modeling_elm2.py:Elm2Mixer.forward",
    ]
    assert [place(member.definition) for member in describe] == ["modeling_oak.py:OakMixer.describe"]


def test_override_and_deletion_end_a_family(grove: Path, models: Path, read: Read) -> None:
    repository = read(grove)
    (maple,) = repository.members_of(find(repository, models, f"modeling_maple.py:MapleModel.{MASK}"))
    assert maple.role == "root"
    birch = repository.members_of(find(repository, models, f"modular_birch.py:BirchModel.{MASK}"))
    assert not any("sorrel" in member.definition.path.name for member in birch)


def test_members_and_roots_agree(grove: Path, models: Path, read: Read) -> None:
    repository = read(grove)
    for name in ("modular_birch.py:BirchModel", "modeling_oak.py:OakModel", "modeling_maple.py:MapleModel"):
        root = find(repository, models, f"{name}.{MASK}")
        for member in repository.members_of(root):
            assert member.inlined or repository.root_of(member.definition) == root


def test_inlined_super_is_noted(grove: Path, models: Path, read: Read) -> None:
    repository = read(grove)
    rowan = find(repository, models, f"modeling_rowan.py:RowanModel.{MASK}")
    parent = repository.kin_of(rowan).inlined
    assert parent is not None
    assert place(parent) == f"modeling_birch.py:BirchModel.{MASK}"
    assert repository.kin_of(rowan).inlined_at == 1  # after input_tensor.float()
    birch = find(repository, models, f"modeling_birch.py:BirchModel.{MASK}")
    assert repository.kin_of(birch).inlined is None
    assert repository.kin_of(birch).inlined_at is None
    assert repository.kin_of(find(repository, models, f"modeling_oak.py:OakModel.{MASK}")).inlined is None


def test_renamed_package_changes_nothing(grove: Path, read: Read) -> None:
    package = grove / "src" / "grove"
    package.rename(package.with_name("hedge"))
    models = grove / "src" / "hedge" / "models"
    repository = read(grove)  # banners and comments still say grove
    fern = find(repository, models, f"modeling_fern.py:FernModel.{MASK}")
    assert place(repository.root_of(fern)) == f"modular_birch.py:BirchModel.{MASK}"
    assert repository.problems == ()


def test_unpacked_package_without_its_checkout(grove: Path, models: Path, read: Read) -> None:
    repository = read(models.parent)
    fern = find(repository, models, f"modeling_fern.py:FernModel.{MASK}")
    assert place(repository.root_of(fern)) == f"modular_birch.py:BirchModel.{MASK}"


def test_single_file_finds_its_root_in_the_files_around_it(models: Path, read: Read) -> None:
    repository = read(models / "yew" / "modeling_yew.py")
    yew = find(repository, models, f"modeling_yew.py:YewTextModel.{MASK}")
    assert place(repository.root_of(yew)) == f"modular_birch.py:BirchModel.{MASK}"


def test_files_with_windows_newlines(grove: Path, models: Path, read: Read) -> None:
    for file in models.rglob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    repository = read(grove)
    fern = find(repository, models, f"modeling_fern.py:FernModel.{MASK}")
    assert place(repository.root_of(fern)) == f"modular_birch.py:BirchModel.{MASK}"


def test_missing_modular_file_is_one_problem(grove: Path, models: Path, read: Read) -> None:
    (models / "cedar" / "modular_cedar.py").unlink()
    repository = read(grove)
    cedar = find(repository, models, f"modeling_cedar.py:CedarModel.{MASK}")
    assert repository.root_of(cedar) == cedar
    assert [str(problem) for problem in repository.problems] == [
        "src/grove/models/cedar/modeling_cedar.py:1:1: "
        "generated from src/grove/models/cedar/modular_cedar.py, which is not there; "
        "treated as written by hand"
    ]


def test_missing_parent_is_one_problem(grove: Path, models: Path, read: Read) -> None:
    (models / "birch" / "modeling_birch.py").unlink()
    repository = read(grove)
    cedar = find(repository, models, f"modeling_cedar.py:CedarModel.{MASK}")
    assert repository.root_of(cedar) == cedar
    assert [problem.message for problem in repository.problems] == [
        f"CedarModel.{MASK} was not found in src/grove/models/cedar/modular_cedar.py nor in its parents"
    ]


def test_missing_copy_source_is_one_problem(grove: Path, models: Path, read: Read) -> None:
    (models / "oak" / "modeling_oak.py").unlink()
    repository = read(grove)
    elm = find(repository, models, f"modeling_elm.py:ElmModel.{MASK}")
    assert repository.root_of(elm) == elm
    assert repository.origin_of(elm) == "hand-written"
    (problem,) = repository.problems
    assert problem.message == (
        f"copied from grove.models.oak.modeling_oak.OakModel.{MASK}, which is not here; "
        "treated as written by hand"
    )


def test_unparsable_modular_file_is_a_problem_of_the_index(grove: Path, models: Path, read: Read) -> None:
    (models / "cedar" / "modular_cedar.py").write_text("class CedarModel(:\n", encoding="utf-8")
    repository = read(grove)
    cedar = find(repository, models, f"modeling_cedar.py:CedarModel.{MASK}")
    assert repository.root_of(cedar) == cedar
    assert [problem.path for problem in repository.index.problems] == [
        "src/grove/models/cedar/modular_cedar.py"
    ]


def test_copies_of_each_other_are_edited_where_a_hand_wrote_them(
    grove: Path, models: Path, read: Read
) -> None:
    birch = models / "birch" / "modular_birch.py"
    moss = find(read(grove), models, f"modeling_moss.py:MossModel.{MASK}")
    text = birch.read_text(encoding="utf-8")
    comment = (
        "    # Copied from grove.models.moss.modeling_moss.MossModel._update_causal_mask with Moss->Birch\n"
    )
    birch.write_text(text.replace("    @add_docstring", comment + "    @add_docstring"), encoding="utf-8")
    repository = read(grove)
    root = repository.root_of(moss)
    assert place(root) in (f"modular_birch.py:BirchModel.{MASK}", f"modeling_moss.py:MossModel.{MASK}")
    assert repository.root_of(find(repository, models, f"modeling_fern.py:FernModel.{MASK}")) == root
    (problem,) = repository.problems
    assert problem.message == "copied from each other: BirchModel, CedarModel, MossModel; edited here"
    assert {member.definition.path.name for member in repository.members_of(root)} >= {
        "modeling_birch.py",
        "modeling_cedar.py",
        "modeling_fern.py",
    }


def test_circle_of_inheritance_ends(grove: Path, models: Path, read: Read) -> None:
    (models / "birch" / "modular_birch.py").write_text(
        "from ..cedar.modeling_cedar import CedarModel\n\n\nclass BirchModel(CedarModel):\n    pass\n",
        encoding="utf-8",
    )
    repository = read(grove)
    cedar = find(repository, models, f"modeling_cedar.py:CedarModel.{MASK}")
    birch = find(repository, models, f"modeling_birch.py:BirchModel.{MASK}")
    assert repository.root_of(cedar) == repository.root_of(birch)
    assert len(repository.problems) == 1


def test_comment_that_names_what_it_stands_above(grove: Path, models: Path, read: Read) -> None:
    oak = models / "oak" / "modeling_oak.py"
    text = oak.read_text(encoding="utf-8")
    oak.write_text(
        text.replace(
            "class OakMixer", "# Copied from grove.models.oak.modeling_oak.OakMixer\nclass OakMixer"
        ),
        encoding="utf-8",
    )
    repository = read(grove)
    mixer = find(repository, models, "modeling_oak.py:OakMixer")
    assert repository.root_of(mixer) == mixer
    assert repository.origin_of(mixer) == "hand-written"
    assert repository.problems == ()


def test_unknown_name_is_no_definition(grove: Path, models: Path, read: Read) -> None:
    repository = read(grove)
    oak = models / "oak" / "modeling_oak.py"
    assert repository.definition(oak, "OakModel.gone") is None
    assert repository.definition(oak, "OakConfig") is None
    assert repository.definition(oak.with_name("gone.py"), "OakModel") is None


@pytest.mark.corpus
@pytest.mark.skipif(
    not {"FLEX_PASSTHROUGH_TREE", "FLEX_PASSTHROUGH_FACTS"} <= set(os.environ),
    reason="FLEX_PASSTHROUGH_TREE names transformers 4.51.3, FLEX_PASSTHROUGH_FACTS the folder of its facts",
)
def test_every_mask_method_of_a_release(read: Read) -> None:
    root = Path(os.environ["FLEX_PASSTHROUGH_TREE"]).resolve()
    facts = json.loads(Path(os.environ["FLEX_PASSTHROUGH_FACTS"], "mask-methods-4.51.3.json").read_bytes())
    repository = read(root)
    for fact in facts["methods"]:
        definition = repository.definition(root / fact["path"], fact["qualname"])
        assert definition is not None
        found = repository.root_of(definition)
        where = found.path.relative_to(root).as_posix(), found.qualname.partition(".")[0]
        assert (fact["path"], repository.origin_of(definition), *where) == (
            fact["path"],
            fact["origin"],
            *fact["root"],
        )
        members = {member.definition for member in repository.members_of(found)}
        assert definition in members
