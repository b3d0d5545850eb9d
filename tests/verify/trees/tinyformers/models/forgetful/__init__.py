from .configuration_forgetful import ForgetfulConfig
from .modeling_forgetful import ForgetfulForCausalLM

__all__ = ["ForgetfulConfig", "ForgetfulForCausalLM"]
