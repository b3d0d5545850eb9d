from ...configuration_utils import PretrainedConfig


class ClaimlessConfig(PretrainedConfig):
    model_type = "claimless"
