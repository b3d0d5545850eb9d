"""The reach of a BlockMask: what it meets on its way through one model class."""

from __future__ import annotations

from msgspec import Struct, field

from codemods.maskflow.evaluation.sites import Site, Step, Unfollowed, Way
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Class, Function

# Inputs from which a model makes a shorter sequence before attention sees it.
_OTHER_INPUTS = ("input_values", "input_features", "pixel_", "audio_", "waveform")


class MaskMethod(Struct, frozen=True):
    """A mask method that does not hand a BlockMask back.

    Attributes:
        function: the method or function to mend.
        sites: where a BlockMask breaks inside it; empty if it is only lost there.
        steps: the way to its call, for the first model that reaches it.
        parameters: the names under which it receives the BlockMask.
    """

    function: Function
    sites: tuple[Site, ...]
    steps: tuple[Step, ...]
    parameters: tuple[str, ...]


class Reach(Struct):
    """What a BlockMask meets on its way through one model class.

    Attributes:
        entry: the model class.
        over: the input whose positions the mask is about, such as ``input_ids`` or ``input_features``.
        asked: functions that were handed a BlockMask, whatever they made of it.
        ways: what had to be given for that.
        routes: the calls that led there.
        several: functions that break on a BlockMask, and make of other masks what attention gets as a mask,
            or several things: past what breaks, the BlockMask would be lost.
        hierarchy: what answers for the classes and names that a function mentions.
    """

    entry: Class
    hierarchy: Hierarchy
    sites: list[Site] = field(default_factory=list)
    methods: list[MaskMethod] = field(default_factory=list)
    unresolved: set[Unfollowed] = field(default_factory=set)
    asked: tuple[Function, ...] = ()
    ways: dict[Function, Way] = field(default_factory=dict)
    routes: dict[Function, tuple[Step, ...]] = field(default_factory=dict)
    over: str = "input_ids"
    several: frozenset[Function] = frozenset()

    @property
    def counts_tokens(self) -> bool:
        """Whether the mask is about what attention sees.

        A mask of audio samples or image patches only shares the name: it is reduced to what the
        encoder makes of them before it reaches attention.
        """
        return not self.over.startswith(_OTHER_INPUTS)
