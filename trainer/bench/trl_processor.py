"""The processor that TRL asks for, without torchvision: Qwen-VL's own, with no video part."""

from typing import Any

from transformers import ProcessorMixin, Qwen2_5_VLProcessor, Qwen2VLProcessor, Qwen3VLProcessor

from trainer.data.preprocessing import Preprocessing


def picture_processor(preprocessing: Preprocessing) -> ProcessorMixin:
    """Return the checkpoint's processor with its tokenizer, template and image processor.

    Its video processor is None: the real one needs torchvision, and no record here has a video.
    """
    chat = preprocessing.renderer.chat
    processor = _CLASSES[preprocessing.model_type](
        preprocessing.image_processor,
        preprocessing.tokenizer,
        video_processor=None,
        chat_template=chat.template if chat else None,
    )
    assert isinstance(processor, ProcessorMixin)
    return processor


class _WithoutVideos:
    """Lets a processor be built without its video part."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        if argument_name == "video_processor":
            return type(argument)
        return super().check_argument_for_proper_class(argument_name, argument)  # pyright: ignore


class _Qwen3VL(_WithoutVideos, Qwen3VLProcessor): ...


class _Qwen25VL(_WithoutVideos, Qwen2_5_VLProcessor): ...


class _Qwen2VL(_WithoutVideos, Qwen2VLProcessor): ...


_CLASSES = {"qwen3_vl": _Qwen3VL, "qwen2_5_vl": _Qwen25VL, "qwen2_vl": _Qwen2VL}
