from .configuration_paired import PairedConfig
from .modeling_paired import PairedForConditionalGeneration

__all__ = ["PairedConfig", "PairedForConditionalGeneration"]
