"""The heads and backbones by name: the one place where each is registered, and how they are built from settings."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from faceclust.errors import UsageError
from faceclust.training.options import Setting, TrainingOptions

if TYPE_CHECKING:  # the names are known without torch
    from faceclust.training.backbones.base import Backbone
    from faceclust.training.heads.base import Head

#: Module and class of each head, in the order of `faceclust train --list`.
HEADS = {
    "softmax": "softmax.Softmax",
    "contrastive": "contrastive.Contrastive",
    "center": "center.CenterLoss",
    "triplet": "triplet.Triplet",
    "sphereface": "sphereface.SphereFace",
    "cosface": "cosface.CosFace",
    "arcface": "arcface.ArcFace",
    "adaptiveface": "adaptiveface.AdaptiveFace",
    "adacos": "adacos.AdaCos",
    "mv-softmax": "mv_softmax.MVSoftmax",
    "curricularface": "curricularface.CurricularFace",
    "groupface": "groupface.GroupFace",
    "subcenter-arcface": "subcenter_arcface.SubcenterArcFace",
    "magface": "magface.MagFace",
    "elasticface": "elasticface.ElasticFace",
    "adaface": "adaface.AdaFace",
}
#: Module and class of each backbone.
BACKBONES = {
    "mobilefacenet": "mobilefacenet.MobileFaceNet",
    "nn1": "zeiler_fergus.NN1",
    "nn2": "inception.NN2",
    "nn3": "inception.NN3",
    "nn4": "inception.NN4",
    "nns1": "inception.NNS1",
    "nns2": "inception.NNS2",
    "ir-resnet-18": "ir_resnet.IRResNet18",
    "ir-resnet-50": "ir_resnet.IRResNet50",
    "ir-resnet-100": "ir_resnet.IRResNet100",
}
#: The word for a default that depends on other settings; parts have a number below 0 in its place.
PUBLISHED = "published"


def find_head(name: str) -> type[Head]:
    """Return the class of a head. Raises UsageError if the name is unknown."""
    found: type[Head] = _find_class("head", name, HEADS, "faceclust.training.heads")
    return found


def find_backbone(name: str) -> type[Backbone]:
    """Return the class of a backbone. Raises UsageError if the name is unknown."""
    found: type[Backbone] = _find_class("backbone", name, BACKBONES, "faceclust.training.backbones")
    return found


def _find_class(kind: str, name: str, table: Mapping[str, str], package: str) -> type:
    if name not in table:
        raise UsageError(f"unknown {kind} {name!r}", hint=f"use one of {', '.join(table)}; see faceclust train --list")
    module, _, class_name = table[name].rpartition(".")
    found: type = getattr(import_module(f"{package}.{module}"), class_name)
    return found


def default_settings(part: type[Head] | type[Backbone]) -> dict[str, Setting]:
    """Return the settings that a head or a backbone takes, with their defaults."""
    parameters = inspect.signature(part).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}


def final_settings(part: Head | Backbone, given: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return all settings of a built part: those given and the defaults, with numbers for PUBLISHED."""
    merged = default_settings(type(part)) | dict(given)
    return {
        name: getattr(part, name, value) if value == PUBLISHED or is_published(value) else value
        for name, value in merged.items()
    }


def is_published(value: Setting) -> bool:
    """Does this default stand for the paper's value, which depends on other settings?"""
    return type(value) is float and value < 0


def check_settings(options: TrainingOptions) -> None:
    """Raise UsageError if a setting of the head or the backbone is unknown, or a value of the head out of range.

    Values of the backbone are checked when it is built, which is the first step of a run.
    """
    build_head(options.head, 8, 4, options.head_settings)  # the smallest sizes that suit every head
    _check_settings("backbone", options.backbone, find_backbone(options.backbone), options.backbone_settings)


def build_head(name: str, dimension: int, classes: int, settings: Mapping[str, Setting]) -> Head:
    """Construct a head. Raises UsageError if the name or a setting is invalid."""
    part = find_head(name)
    checked = _check_settings("head", name, part, settings)
    try:
        return part(dimension, classes, **checked)
    except ValueError as error:
        raise UsageError(f"head {name}: {error}", hint=_LIST_HINT) from error


def build_backbone(name: str, settings: Mapping[str, Setting]) -> Backbone:
    """Construct a backbone. Raises UsageError if the name or a setting is invalid."""
    part = find_backbone(name)
    checked = _check_settings("backbone", name, part, settings)
    try:
        return part(**checked)  # type: ignore[arg-type] # subclasses take their settings only
    except ValueError as error:
        raise UsageError(f"backbone {name}: {error}", hint=_LIST_HINT) from error


_LIST_HINT = "faceclust train --list shows all settings"


def _check_settings(
    kind: str, name: str, part: type[Head] | type[Backbone], settings: Mapping[str, Setting]
) -> dict[str, Setting]:
    """Return the settings in the types of the defaults. Raises UsageError if one is unknown or of another type."""
    defaults = default_settings(part)
    checked: dict[str, Setting] = {}
    for key, value in settings.items():
        if key not in defaults:
            known = ", ".join(defaults) or "none"
            raise UsageError(f"{kind} {name} has no setting {key!r}; it has: {known}", hint=_LIST_HINT)
        default = defaults[key]
        if value == PUBLISHED and is_published(default):
            value = default
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not type(default):
            wanted = {float: "a number", int: "a whole number", bool: "true or false", str: "a word"}[type(default)]
            raise UsageError(f"{kind}.{key} must be {wanted}, not {value!r}", hint=_LIST_HINT)
        checked[key] = value
    return checked
