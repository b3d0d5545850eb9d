from .configuration_plain import PlainConfig
from .modeling_plain import PlainForCausalLM

__all__ = ["PlainConfig", "PlainForCausalLM"]
