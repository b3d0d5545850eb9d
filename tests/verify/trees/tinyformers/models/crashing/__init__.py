from .configuration_crashing import CrashingConfig
from .modeling_crashing import CrashingForCausalLM

__all__ = ["CrashingConfig", "CrashingForCausalLM"]
