"""The flow: follows a BlockMask from a model's ``forward`` through every call that it reaches."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from codemods.maskflow.evaluation.arguments import Arguments
from codemods.maskflow.evaluation.frame import Frame, Record, SiteKey
from codemods.maskflow.evaluation.sites import Site, Step, Way
from codemods.maskflow.evaluation.values import BLOCK, TENSOR, UNKNOWN
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Class, Function, Index, Module
from codemods.maskflow.reach import Reach
from codemods.maskflow.summaries import Summaries

# Parameters of a model's forward in which a caller may hand over a BlockMask.
MASK_PARAMETERS = ("attention_mask", "decoder_attention_mask", "encoder_attention_mask")

# What a mask comes with: where there are no tokens of a decoder, its mask is no plain input.
_PARTNERS = {
    "attention_mask": "attention_mask",
    "decoder_attention_mask": "decoder_input_ids",
    "encoder_attention_mask": "encoder_outputs",
}

# What makes ready the inputs of each step of ``generate``, and there may make the step's BlockMask.
GENERATION = "prepare_inputs_for_generation"

# Parameters that hold a tensor although their default is None: one of them is always given.
_INPUTS = ("input_ids", "decoder_input_ids", "input_features", "input_values", "hidden_states")


class MaskFlow:
    """Follows masks through a tree; summaries of calls are shared between all model classes."""

    def __init__(self, index: Index, hierarchy: Hierarchy) -> None:
        self.index = index
        self.hierarchy = hierarchy
        self._calls = Summaries(index, hierarchy)
        self._by_way: dict[tuple[Site, Way], Site] = {}

    def follow(self, entry: Class) -> Reach | None:
        """Follow a BlockMask into ``entry.forward``; None if that takes no mask.

        First tokens and masks are all that is given, then anything may be. The BlockMasks that
        ``entry`` makes itself from a tensor while it generates are followed too.
        A mask method found to lose the BlockMask is taken as mended and the walk is made again,
        so that what lies behind it is found as well.
        """
        forward = self.hierarchy.find(entry, "forward")
        if not isinstance(forward, Function):
            return None
        names = [p.arg for p in (*forward.node.args.args, *forward.node.args.kwonlyargs)]
        masks = [name for name in MASK_PARAMETERS if name in names]
        if not masks:
            return None
        self.index.work.models_followed += 1
        self._calls.claims = self.hierarchy.claims_flex(entry)
        while True:
            records = {way: Record() for way in Way}
            self._enter(entry, forward, names[1:], masks, records[Way.PLAIN])
            self._generate(entry, records[Way.GENERATION])
            self._enter_widely(entry, forward, names[1:], masks, records[Way.INPUTS])
            record = Record()
            for each in records.values():
                record.add(each)
            lost = [
                function
                for function in record.confirmed
                if function in self._calls.losses and function not in self._calls.mended
            ]
            if not lost:
                break
            self._calls.take_as_mended(lost)
        asked = record.asked
        return Reach(
            entry,
            self.hierarchy,
            sites=[self._on_its_way(key, site, records) for key, site in record.sites.items()],
            methods=sorted(
                (method for function, method in self._calls.mended.items() if function in asked),
                key=lambda method: (method.function.module.name, method.function.node.lineno),
            ),
            unresolved=record.unresolved,
            over=next((name for name in names[1:] if "mask" not in name), "input_ids"),
            asked=tuple(sorted(asked, key=lambda function: (function.module.name, function.node.lineno))),
            ways={
                function: next(way for way, each in records.items() if function in each.asked)
                for function in asked
            },
            routes=asked,
            several=frozenset(record.confirmed & self._calls.several),
        )

    @property
    def comes_back(self) -> dict[Function, bool]:
        """Whether a function that was handed a BlockMask ever came back, as far as can be told.

        What stands behind a call of one that did not was not looked at.
        """
        return self._calls.comes_back

    def _on_its_way(self, key: SiteKey, site: Site, records: dict[Way, Record]) -> Site:
        way = next(way for way, record in records.items() if key in record.sites)
        return site if way is site.way else self._by_way.setdefault((site, way), replace(site, way=way))

    def _enter(
        self, entry: Class, forward: Function, names: list[str], masks: list[str], record: Record
    ) -> None:
        """Follow a call of ``forward`` with tokens and masks; the rest is what its default is, or open."""
        instance = self._calls.model(entry)
        if not self._calls.wide:
            masks = [name for name in masks if _PARTNERS[name] in names] or masks
        given = dict.fromkeys(masks, BLOCK)
        given |= {name: TENSOR for name in names if name in _INPUTS}
        if self._calls.wide:
            given |= {name: UNKNOWN for name in names if name not in given}
        root = Frame(forward.module, forward, {}, (), record)
        arguments = Arguments((), tuple(given.items()))
        self._calls.evaluate(forward, instance, arguments, root, masks[0], forward.node.lineno)

    def _enter_widely(
        self, entry: Class, forward: Function, names: list[str], masks: list[str], record: Record
    ) -> None:
        self._calls.wide = True
        try:
            self._enter(entry, forward, names, masks, record)
        finally:
            self._calls.wide = False

    def _generate(self, entry: Class, record: Record) -> None:
        """Follow a step of ``generate``, whose mask is a tensor until a mask function makes a BlockMask."""
        prepare = self.hierarchy.find(entry, GENERATION)
        if not isinstance(prepare, Function):
            return
        parameters = [p.arg for p in (*prepare.node.args.args, *prepare.node.args.kwonlyargs)][1:]
        if MASK_PARAMETERS[0] not in parameters:
            return
        given = Arguments((), tuple((name, TENSOR if "mask" in name else UNKNOWN) for name in parameters))
        step = Step(prepare, MASK_PARAMETERS[0], prepare.module.path, prepare.node.lineno)
        root = Frame(prepare.module, prepare, {}, (step,), record)
        self._calls.generating = True
        try:
            instance = self._calls.model(entry)
            self._calls.evaluate(prepare, instance, given, root, MASK_PARAMETERS[0], prepare.node.lineno)
        finally:
            self._calls.generating = False


def models(index: Index, hierarchy: Hierarchy, modules: Iterable[Module]) -> list[Class]:
    """Return the model classes of ``modules`` whose ``forward`` may take a BlockMask."""
    found = []
    for module in modules:
        for cls in hierarchy.classes(module):
            if hierarchy.is_pretrained_model(cls) and hierarchy.is_torch_module(cls):
                found.append(cls)
    return found
