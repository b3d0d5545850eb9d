"""Values that odd configurations need and that no rule about names can guess.

Model type -> keyword arguments of its configuration class. Values only: no code per model.
"""

from __future__ import annotations

from typing import Any

HINTS: dict[str, dict[str, Any]] = {
    "blip-2": {"image_token_index": 127},
    "chameleon": {"vocabulary_map": {"<image>": 127, "<s>": 1, "<racm3:break>": 126, "<eoss>": 125}},
    "dbrx": {"attn_config": {"rope_theta": 10000.0, "clip_qkv": 8.0}},
    "emu3": {"vocabulary_map": {"<image>": 127, "<|extra_200|>": 126}},
    "glm4v_moe_text": {
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.5,
            "mrope_section": [2, 1, 1],
        }
    },
    "granite4_vision": {"deepstack_layer_map": [[0, 0]], "downsample_rate": "4/8"},
    "hunyuan_vl_text": {
        "head_dim": 16,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 2, 2, 2]},
    },
    "instructblip": {"image_token_index": 127},
    "instructblipvideo": {"video_token_index": 127},
    "mllama_text_model": {"rope_scaling": {"rope_type": "default", "rope_theta": 500000.0}},
    "molmo2_adapter": {"vision_feature_layer": [-1, -2]},
    "paddleocr_vl_text": {
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 2, 2]}
    },
    "xmod": {"default_language": "en_XX"},
    "zaya": {"num_experts_per_tok": 1},
}
