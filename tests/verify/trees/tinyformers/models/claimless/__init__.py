from .configuration_claimless import ClaimlessConfig
from .modeling_claimless import ClaimlessForCausalLM

__all__ = ["ClaimlessConfig", "ClaimlessForCausalLM"]
