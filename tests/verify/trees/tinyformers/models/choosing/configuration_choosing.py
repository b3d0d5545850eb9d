from ...configuration_utils import PretrainedConfig


class ChoosingConfig(PretrainedConfig):
    model_type = "choosing"
