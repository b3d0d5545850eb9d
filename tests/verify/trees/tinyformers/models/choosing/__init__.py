from .configuration_choosing import ChoosingConfig
from .modeling_choosing import ChoosingForMultipleChoice

__all__ = ["ChoosingConfig", "ChoosingForMultipleChoice"]
