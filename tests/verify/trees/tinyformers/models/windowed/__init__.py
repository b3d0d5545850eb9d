from .configuration_windowed import WindowedConfig
from .modeling_windowed import WindowedForCausalLM

__all__ = ["WindowedConfig", "WindowedForCausalLM"]
