from ...configuration_utils import PretrainedConfig


class ForgetfulConfig(PretrainedConfig):
    model_type = "forgetful"
